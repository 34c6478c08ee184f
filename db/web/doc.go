// Package web serves a page to search a store's pictures with, and the HTTP interface that
// the page uses, which other programs may use as well: /api/v1/openapi.json describes it.
//
//	h, err := web.New(store, &web.Options{Token: web.NewToken()})
//	http.ListenAndServe("localhost:8080", h)
//
// Everything is read in read-only transactions: no request changes the store unless Options.Write
// says otherwise. Statements of requests reach no files. Nothing is fetched from the network by
// the server, and the page loads nothing but its own files and pictures that rows refer to by
// address.
//
// # Who may ask
//
// With a token every request has to bring it, as the cookie that the address with ?token=
// sets, or as Authorization: Bearer. The Host header has to be one of Options.Hosts
// (against DNS rebinding), and a request that a browser sends for another site is refused
// (against CSRF). The page forbids scripts other than its own.
//
// # Which files are served
//
// A file is served only if a row of the store names it, if it is a regular file with the
// name of a picture, below Options.Roots where there are any (after symbolic links have been
// resolved), and if its contents are a picture of a kind that shows no scripts. Thumbnails are
// made anew from the pixels.
//
// A Handler is safe for concurrent use; the store stays the caller's.
package web
