//go:build parts

// Package parts pins the S3 gateway that is Oslo's object store.
package parts

import _ "github.com/versity/versitygw/cmd/versitygw"
