// Package examples holds programs that use Lupa, each in a directory of its own:
//
//	quickstart      pictures go in, a phrase comes back as the best of them
//	imagesearch     index a directory of pictures; search by phrase or by picture
//	photos-cleanup  copies and bursts among pictures: what to keep, what can go
//	products        a catalogue searched by meaning and words, price, stock and category
//	recommend       more like what somebody liked: the mean of vectors
//	repository      bookmarks behind database/sql alone, as a repository
//	httpserver      searches over HTTP, under load, with Prometheus metrics
//	customencoder   an encoder of one's own, without cgo (package ngram)
//	demo            the store of make demo, from Go: query by phrase and vector, insert
//
// The tests build and run all of them.
package examples
