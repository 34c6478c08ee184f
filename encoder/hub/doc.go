// Package hub downloads what encoders need: models from the Hugging Face hub and
// libonnxruntime from npm, at pinned revisions and checked against pinned
// SHA-256 sums.
package hub
