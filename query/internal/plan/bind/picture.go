package bind

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/lupadb/lupa/query/internal/source"
)

// maxPicture bounds the size of a picture's file.
const maxPicture = 256 << 20

// pictureClient fetches pictures from addresses. A server that does not answer, or stops in
// the middle, does not hold up a statement for ever.
var pictureClient = &http.Client{Timeout: 2 * time.Minute}

// ReadFile reads a picture for image(): a path, or an address if those are
// allowed.
func (in *Input) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		if !in.AllowURLs {
			return nil, fmt.Errorf("%s: addresses are not allowed here (AllowURLs)", path)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		if err != nil {
			return nil, err
		}
		res, err := pictureClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", path, res.Status)
		}
		return readAtMost(ctx, res.Body, path, max(0, min(maxPicture, res.ContentLength)))
	}
	if in.NoFiles {
		return nil, fmt.Errorf("this program does not let statements use files")
	}
	path, err := source.ExpandHome(path)
	if err != nil {
		return nil, err
	}
	f, st, err := source.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size() > maxPicture {
		return nil, fmt.Errorf("%s: larger than %d MiB", path, maxPicture>>20)
	}
	return readAtMost(ctx, f, path, st.Size())
}

// PictureStamp tells of the file that ReadFile would read how large it is and when it was
// changed; "" of addresses, and of what can't be read.
func (in *Input) PictureStamp(path string) string {
	if in.NoFiles || strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		return ""
	}
	path, err := source.ExpandHome(path)
	if err != nil {
		return ""
	}
	st, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(st.Size(), " ", st.ModTime().UnixNano())
}

// readAtMost reads what is expected to be of the given size, as long as ctx lets it.
func readAtMost(ctx context.Context, r io.Reader, name string, size int64) ([]byte, error) {
	var data bytes.Buffer
	data.Grow(int(size) + bytes.MinRead)
	for {
		n, err := io.CopyN(&data, r, 4<<20)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == io.EOF:
			return data.Bytes(), nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case data.Len() > maxPicture || n == 0:
			return nil, fmt.Errorf("%s: larger than %d MiB", name, maxPicture>>20)
		}
	}
}
