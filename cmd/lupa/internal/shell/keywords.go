package shell

import (
	"strings"
	"sync"

	"github.com/lupadb/lupa/query"
)

var keywordSet = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for _, k := range query.Keywords() {
		m[k] = true
	}
	return m
})

func isKeyword(word string) bool { return keywordSet()[strings.ToUpper(word)] }
