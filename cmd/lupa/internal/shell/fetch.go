package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

const (
	maxFetched = 16 << 20 // bytes of one picture
	maxKept    = 64 << 20 // of all that are kept
)

// fetcher gets pictures from addresses for thumbnails, and keeps them for the
// session, the ones fetched first leaving when they become too many. It is safe
// for concurrent use; its zero value is ready.
type fetcher struct {
	mu    sync.Mutex
	kept  map[string][]byte
	order []string
	size  int
}

func (f *fetcher) get(ctx context.Context, address string) ([]byte, error) {
	f.mu.Lock()
	data, ok := f.kept[address]
	f.mu.Unlock()
	if ok {
		return data, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, res.Status)
	}
	data, err = io.ReadAll(io.LimitReader(res.Body, maxFetched+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFetched {
		return nil, errors.New(address + ": too large for a thumbnail")
	}
	f.keep(address, data)
	return data, nil
}

func (f *fetcher) keep(address string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept == nil {
		f.kept = map[string][]byte{}
	}
	if _, again := f.kept[address]; again {
		return
	}
	f.kept[address] = data
	f.order = append(f.order, address)
	for f.size += len(data); f.size > maxKept; {
		f.size -= len(f.kept[f.order[0]])
		delete(f.kept, f.order[0])
		f.order = f.order[1:]
	}
}
