package foreign

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Set is the attached databases of a store, by their names. It is safe for concurrent use;
// the zero Set is empty.
type Set struct {
	// Openers open what ATTACH names. It is not changed once the set is used.
	Openers []Opener

	mu    sync.Mutex
	byKey map[string]*Attached // by name in lower case
}

// Attached is a database with the name that ATTACH gave it.
type Attached struct {
	Name     string
	Database Database

	mu     sync.Mutex
	tables map[string]*Table
	gone   bool
}

// Attach opens the database at address and gives it a name.
func (s *Set) Attach(ctx context.Context, name, address string) error {
	if s.Find(name) != nil {
		return fmt.Errorf("a database is attached as %q already; DETACH comes first", name)
	}
	scheme, _, ok := strings.Cut(address, "://")
	if !ok {
		return fmt.Errorf("the address of a database starts with its kind, such as postgres://")
	}
	var known []string
	for _, o := range s.Openers {
		if slices.Contains(o.Schemes(), strings.ToLower(scheme)) {
			db, err := o.Open(ctx, address)
			if err != nil {
				return err
			}
			if err := s.add(&Attached{Name: name, Database: db}); err != nil {
				db.Close()
				return err
			}
			return nil
		}
		known = append(known, o.Schemes()...)
	}
	if len(known) == 0 {
		return errors.New("this program attaches no databases: it was built without a driver for them (db.Options.Attach)")
	}
	return fmt.Errorf("no driver attaches %s://; those there are attach %s", scheme, strings.Join(known, ", "))
}

// Secret reports whether an address has a password in it, or may have one that is not
// understood.
func Secret(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Scheme == "" {
		return secret.MatchString(address)
	}
	if _, ok := u.User.Password(); ok {
		return true
	}
	params, err := url.ParseQuery(u.RawQuery)
	for name := range params {
		if n := strings.ToLower(name); strings.Contains(n, "passw") && n != "passfile" {
			return true
		}
	}
	return err != nil || strings.Contains(u.Host, "@")
}

var secret = regexp.MustCompile(`(?i)://[^/]*:.*@|passw[a-z]*\s*=`)

func (s *Set) add(a *Attached) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(a.Name)
	if s.byKey[key] != nil {
		return fmt.Errorf("a database is attached as %q already", a.Name)
	}
	if s.byKey == nil {
		s.byKey = map[string]*Attached{}
	}
	s.byKey[key] = a
	return nil
}

// Find returns the database of a name, or nil.
func (s *Set) Find(name string) *Attached {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byKey[strings.ToLower(name)]
}

// All are the attached databases, by name.
func (s *Set) All() []*Attached {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Attached
	for _, a := range s.byKey {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *Attached) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Detach forgets a database and ends its connections.
func (s *Set) Detach(name string) error {
	s.mu.Lock()
	key := strings.ToLower(name)
	a := s.byKey[key]
	delete(s.byKey, key)
	s.mu.Unlock()
	if a == nil {
		return fmt.Errorf("no database is attached as %q", name)
	}
	return a.close()
}

// Close detaches all.
func (s *Set) Close() error {
	var errs []error
	for _, a := range s.All() {
		errs = append(errs, s.Detach(a.Name))
	}
	return errors.Join(errs...)
}

func (a *Attached) close() error {
	a.mu.Lock()
	a.gone = true
	a.mu.Unlock()
	return a.Database.Close()
}

// Table describes a table, from memory where it has been asked for before.
func (a *Attached) Table(ctx context.Context, name string) (*Table, error) {
	a.mu.Lock()
	t := a.tables[name]
	a.mu.Unlock()
	if t != nil {
		return t, nil
	}
	t, err := a.Database.Table(ctx, name)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tables == nil {
		a.tables = map[string]*Table{}
	}
	a.tables[name] = t
	return t, nil
}

// Forget drops what is known of tables: one of them is not as it was.
func (a *Attached) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tables = nil
}

// Current reports whether t is what is known of its table, and the database is attached.
func (a *Attached) Current(t *Table) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.tables {
		if x == t {
			return !a.gone
		}
	}
	return false
}
