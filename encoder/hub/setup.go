package hub

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lupadb/lupa/encoder"
)

// RuntimeVersion is the release of ONNX Runtime that Setup fetches.
const RuntimeVersion = "1.24.3"

// RegistryEnv names npm's environment variable with the base URL of a registry.
const RegistryEnv = "npm_config_registry"

// runtimePackage is the npm package that carries the library for all systems.
var runtimePackage = File{"onnxruntime-node-" + RuntimeVersion + ".tgz", 85987774, "aa1bb5fa261ea68de05dd53efbba210cd7adf2d2850f4c3a201054c74cc78040"}

// library is libonnxruntime for one system: a member of the package and the
// name it gets.
type library struct {
	member string
	name   string
	size   int64
	sha256 string
}

var libraries = map[string]library{
	"linux/amd64":  {"package/bin/napi-v6/linux/x64/libonnxruntime.so.1", "libonnxruntime.so." + RuntimeVersion, 35164376, "92ba8e44d31b80a34f5e805076a044122c3be1fffe0d88ed790de7267b0b2682"},
	"linux/arm64":  {"package/bin/napi-v6/linux/arm64/libonnxruntime.so.1", "libonnxruntime.so." + RuntimeVersion, 18625376, "33032cb5b91c12edbf028d7c69fa40a31848d66c0095448758af237d5e0b07db"},
	"darwin/arm64": {"package/bin/napi-v6/darwin/arm64/libonnxruntime." + RuntimeVersion + ".dylib", "libonnxruntime." + RuntimeVersion + ".dylib", 35937208, "76831409ce6eded92b4cb343cf422c458a60c1ea1d5f3cfa69692ab7fcc67f0f"},
}

// NoLibraryError says that no library is published for this system.
type NoLibraryError struct{ System string }

func (e *NoLibraryError) Error() string {
	s := "no ready library of ONNX Runtime " + RuntimeVersion + " is published for " + e.System
	if e.System == "darwin/amd64" {
		return s + "; `brew install onnxruntime` builds one, which is then found by itself"
	}
	return s + "; build or install it and set ONNXRUNTIME_SHARED_LIBRARY_PATH"
}

// Setup fetches libonnxruntime for this system, unless it is there, and returns
// its path, where package onnx looks for it. It comes out of the npm package
// onnxruntime-node, downloaded from Options.Endpoint, from the registry named in
// npm_config_registry, or from the one that the npm client uses.
func Setup(ctx context.Context, o *Options) (path string, err error) {
	return setup(ctx, runtime.GOOS+"/"+runtime.GOARCH, runtimePackage, libraries, o)
}

func setup(ctx context.Context, system string, pkg File, libs map[string]library, o *Options) (path string, err error) {
	if o == nil {
		o = &Options{}
	}
	lib, ok := libs[system]
	if !ok {
		return "", &NoLibraryError{system}
	}
	dir := o.Dir
	if dir == "" {
		cache, err := encoder.CacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "runtime")
	}
	path = filepath.Join(dir, lib.name)
	want := File{Path: lib.name, Size: lib.size, SHA256: lib.sha256}
	if ok, err := matches(path, want); ok || err != nil {
		return path, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	archive, err := fetchPackage(ctx, pkg, dir, o)
	if err != nil {
		return "", fmt.Errorf("fetch ONNX Runtime %s: %w", RuntimeVersion, err)
	}
	if err := extract(archive, lib.member, path, want); err != nil {
		return "", fmt.Errorf("unpack ONNX Runtime %s: %w", RuntimeVersion, err)
	}
	return path, os.Remove(archive)
}

// fetchPackage leaves the checked package in dir.
func fetchPackage(ctx context.Context, pkg File, dir string, o *Options) (string, error) {
	archive := filepath.Join(dir, pkg.Path)
	npm, noNPM := exec.LookPath("npm")
	base := o.Endpoint
	if base == "" {
		base = os.Getenv(RegistryEnv)
	}
	given := base != ""
	if !given && noNPM == nil {
		base = registryOf(ctx, npm)
	}
	if base == "" && noNPM != nil {
		return "", fmt.Errorf("neither the npm client nor %s, the URL of an npm registry, is there. Or get libonnxruntime %s elsewhere and put it into %s", RegistryEnv, RuntimeVersion, dir)
	}
	var failed error
	if base != "" {
		p := Progress{File: pkg.Path, Total: pkg.Size}
		d := newDownload(o, strings.TrimRight(base, "/")+"/"+packageName(pkg)+"/-/"+pkg.Path, pkg, archive, func(n int64) {
			if p.Done += n; o.Progress != nil {
				o.Progress(p)
			}
		})
		if failed = d.run(ctx); failed == nil || given || ctx.Err() != nil {
			return archive, failed
		}
	}
	// The client knows of proxies and logins that a plain request does not.
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--pack-destination", dir, packageName(pkg)+"@"+RuntimeVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(failed, fmt.Errorf("npm pack: %w: %s", err, strings.TrimSpace(string(out))))
	}
	if ok, err := matches(archive, pkg); err != nil {
		return "", err
	} else if !ok {
		os.Remove(archive)
		return "", &ChecksumError{"npm pack " + pkg.Path, pkg.SHA256, "another"}
	}
	return archive, nil
}

// packageName is the file's name without the version.
func packageName(pkg File) string {
	s, _, _ := strings.Cut(pkg.Path, "-"+RuntimeVersion)
	return s
}

// registryOf asks the npm client which registry it uses; "" if it can't tell.
func registryOf(ctx context.Context, npm string) string {
	out, err := exec.CommandContext(ctx, npm, "config", "get", "registry").Output()
	url := strings.TrimSpace(string(out))
	if err != nil || !strings.HasPrefix(url, "http") {
		return ""
	}
	return url
}

// extract takes one member out of a .tgz and leaves it at path when it is what
// was expected.
func extract(archive, member, path string, want File) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return fmt.Errorf("%s has no %s", archive, member)
		} else if err != nil {
			return err
		}
		if h.Name == member {
			break
		}
	}
	tmp := path + ".part"
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(t, want.Size+1))
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		os.Remove(tmp)
		return err
	}
	if ok, err := matches(tmp, want); err != nil {
		return err
	} else if !ok {
		os.Remove(tmp)
		return fmt.Errorf("%s in %s is not the library that was expected", member, archive)
	}
	return os.Rename(tmp, path)
}
