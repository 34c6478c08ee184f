//go:build !unix

package shell

// readWhole does nothing: elsewhere the editor reads keys, not bytes.
func readWhole() {}
