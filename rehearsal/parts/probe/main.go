// Command probe answers and asks on a pod network, so that every path of it can be proved: it is the only
// program in the image of the probe pods. Results are one JSON document on stdout; the exit code is 0 where
// the question could be asked, whatever the answer was.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"time"
)

// A question parses its own flags and returns what is printed.
type question func(flags *flag.FlagSet, arguments []string) (any, error)

var questions = map[string]question{
	"serve": serve, // answers until it is ended
	"get":   get,   // one HTTP GET
	"hits":  hits,  // many GETs, each on a new connection: who answered
	"tcp":   tcp,   // dials addresses
	"udp":   udp,   // asks addresses for an echo
	"pmtu":  pmtu,  // does a packet of this size pass unfragmented
	"bulk":  bulk,  // receives many bytes over one connection
	"names": names, // many A and AAAA lookups at once, as a resolver asks them
	"count": count, // this namespace's network counters
	"load":  load,  // closed loop over kept connections
	"cpu":   cpu,   // the machine's CPU time so far
	"usage": usage, // what a node's load is judged by
	"links": links, // this namespace's interfaces and their MTU
}

func main() {
	if len(os.Args) < 2 || questions[os.Args[1]] == nil {
		known := make([]string, 0, len(questions))
		for name := range questions {
			known = append(known, name)
		}
		sort.Strings(known)
		fmt.Fprintf(os.Stderr, "usage: probe %v [flags] [arguments]\n", known)
		os.Exit(2)
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	answer, err := questions[os.Args[1]](flags, os.Args[2:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "probe %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		os.Exit(1)
	}
}

func ms(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

func seconds(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }
