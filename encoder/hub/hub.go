// Package hub downloads what encoders need: models from the Hugging Face hub and
// libonnxruntime, at pinned revisions and checked against pinned SHA-256 sums.
package hub

import (
	"net/http"
)

// Options of a download; nil or zero values mean the default.
type Options struct {
	// Dir is the folder to put the outcome in. Default: for a model, the folder
	// of its name in "models" of encoder.CacheDir; for libonnxruntime, "runtime"
	// there.
	Dir string

	// Endpoint is the base URL of the hub; default HF_ENDPOINT, or else the
	// public hub.
	Endpoint string

	// Client makes the requests; default http.DefaultClient.
	Client *http.Client

	// Progress, if not nil, is called now and then, from one goroutine at a time.
	Progress func(Progress)
}

// Progress of a download.
type Progress struct {
	File        string // being downloaded
	Done, Total int64  // bytes, of all files together; Done includes what was there already
}
