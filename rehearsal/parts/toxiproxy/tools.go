//go:build parts

// Package parts pins the link simulator: latency and faults, where the kernel has no netem.
package parts

import _ "github.com/Shopify/toxiproxy/v2/cmd/server"
