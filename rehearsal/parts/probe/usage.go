package main

import (
	"flag"
	"os"
	"strconv"
	"strings"
)

// usage is what a node's load is judged by, as the kernel shows it: the first line of /proc/stat, the TCP lines
// of /proc/net/snmp, and how full the connection-tracking table is (null where the node does not show it).
func usage(flags *flag.FlagSet, arguments []string) (any, error) {
	_ = flags.Parse(arguments)
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, err
	}
	snmp, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(stat), "\n")
	tcp := []string{}
	for line := range strings.Lines(string(snmp)) {
		if strings.HasPrefix(line, "Tcp:") {
			tcp = append(tcp, strings.TrimSpace(line))
		}
	}
	return map[string]any{
		"stat": first, "tcp": strings.Join(tcp, "\n"),
		"conntrack_count": number("/proc/sys/net/netfilter/nf_conntrack_count"),
		"conntrack_max":   number("/proc/sys/net/netfilter/nf_conntrack_max"),
	}, nil
}

// number is the one number in a file, nil where there is none.
func number(path string) *int64 {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	value, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	if err != nil {
		return nil
	}
	return &value
}
