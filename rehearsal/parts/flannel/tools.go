//go:build parts

// Package parts pins flanneld.
package parts

import _ "github.com/flannel-io/flannel"
