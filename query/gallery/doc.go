// Package gallery writes rows as one self-contained HTML page of pictures: the
// format gallery of COPY ... TO and the shell's mode of that name.
//
// Local pictures are scaled down and embedded, remote ones are referred to by
// their URL. Nothing in a row is trusted: texts are escaped for the place they
// stand in, only http(s) URLs become links, and the page forbids scripts.
package gallery
