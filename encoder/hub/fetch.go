package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ChecksumError says that a download is not what was published. Nothing of it
// is kept.
type ChecksumError struct{ URL, Want, Got string }

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%s: wrong contents (SHA-256 %s, should be %s); the download was deleted", e.URL, e.Got, e.Want)
}

// StatusError is an answer that trying again will not change.
type StatusError struct{ URL, Status string }

func (e *StatusError) Error() string { return e.URL + ": the server answers " + e.Status }

// localError is one of this machine, such as a full disk.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

const (
	defaultRetries = 5
	defaultPause   = 500 * time.Millisecond
	longestPause   = 20 * time.Second
	stalled        = time.Minute // without a byte
)

// download is one file on its way.
type download struct {
	url     string
	file    File
	path    string // where it goes; what came through so far is in path.part
	client  *http.Client
	retries int
	pause   time.Duration
	advance func(n int64) // told of bytes added, or lost again (negative)

	f    *os.File // path.part
	sum  hash.Hash
	have int64
}

// run leaves the checked file at path, or an error. It goes on from where an
// earlier run broke off.
func (d *download) run(ctx context.Context) error {
	if ok, err := matches(d.path, d.file); err != nil {
		return err
	} else if ok {
		d.advance(d.file.Size)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o755); err != nil {
		return err
	}
	part := d.path + ".part"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	d.f, d.sum = f, sha256.New()
	if d.have, err = io.Copy(d.sum, io.LimitReader(f, d.file.Size)); err != nil {
		return err
	}
	d.advance(d.have)
	if err := d.transferAll(ctx); err != nil {
		return err
	}
	if got := hex.EncodeToString(d.sum.Sum(nil)); d.file.SHA256 != "" && got != d.file.SHA256 {
		f.Close()
		os.Remove(part)
		d.advance(-d.have)
		return &ChecksumError{d.url, d.file.SHA256, got}
	}
	if err := errors.Join(f.Truncate(d.file.Size), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, d.path)
}

// transferAll repeats transfers until all bytes are there, with growing pauses
// as long as none come through.
func (d *download) transferAll(ctx context.Context) error {
	failures, pause := 0, d.pause
	for d.have < d.file.Size {
		before := d.have
		err := d.transfer(ctx)
		if err == nil && d.have > before {
			continue
		}
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		var status *StatusError
		var local localError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &status), errors.As(err, &local):
			return err
		case d.have > before:
			failures, pause = 0, d.pause
		}
		if failures++; failures > d.retries {
			return fmt.Errorf("%s: %w (gave up; what was received is kept, run it again to go on)", d.url, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

// transfer makes one request for the rest of the file.
func (d *download) transfer(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(stalled, func() { cancel(errors.New("the server stopped sending")) })
	defer watchdog.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return localError{err}
	}
	req.Header.Set("Accept-Encoding", "identity") // sizes and ranges are of the file itself
	if d.have > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(d.have, 10)+"-")
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", d.have)) {
			return errors.New("the server sends another part than asked for")
		}
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if err := d.restart(); err != nil { // it does not do ranges
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout:
		return errors.New("the server answers " + resp.Status)
	default:
		return &StatusError{d.url, resp.Status}
	}
	buf := make([]byte, 1<<16)
	for d.have < d.file.Size {
		n, err := resp.Body.Read(buf[:min(int64(len(buf)), d.file.Size-d.have)])
		if n > 0 {
			watchdog.Reset(stalled)
			if _, err := d.f.WriteAt(buf[:n], d.have); err != nil {
				return localError{err}
			}
			d.sum.Write(buf[:n])
			d.have += int64(n)
			d.advance(int64(n))
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
	}
	return nil
}

func (d *download) restart() error {
	d.advance(-d.have)
	d.have = 0
	d.sum.Reset()
	if err := d.f.Truncate(0); err != nil {
		return localError{err}
	}
	return nil
}

// matches reports whether path holds the file.
func matches(path string, want File) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() != want.Size {
		return false, err
	}
	if want.SHA256 == "" {
		return true, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false, err
	}
	return hex.EncodeToString(sum.Sum(nil)) == want.SHA256, nil
}

// sumFile returns the SHA-256 of a file.
func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
