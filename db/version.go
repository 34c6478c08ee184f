package db

import (
	"runtime/debug"
)

// Version is the version of Lupa, by semver.org: see CHANGELOG.md at the root.
const Version = "0.1.0"

// Revision returns what the program's copy of Lupa was built from, where the build
// tells: in a program of Lupa's own repository the commit of the working tree, in
// one that depends on Lupa the version of the module; otherwise "".
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	const module = "github.com/lupadb/lupa"
	if info.Main.Path == module {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
		return ""
	}
	for _, m := range info.Deps {
		if m.Path != module {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		return m.Version
	}
	return ""
}
