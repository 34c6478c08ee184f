package compat

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/dialect/sql/sqlgraph"
	"entgo.io/ent/schema/field"

	"github.com/lupadb/lupa/db"
)

// entTables are what ent generates for users who have pets, and groups of users.
func entTables() []*schema.Table {
	users := &schema.Table{
		Name: "users",
		Columns: []*schema.Column{
			{Name: "id", Type: field.TypeInt, Increment: true},
			{Name: "age", Type: field.TypeInt, Default: 18},
			{Name: "name", Type: field.TypeString, Size: 200},
			{Name: "email", Type: field.TypeString, Unique: true, Nullable: true},
			{Name: "score", Type: field.TypeFloat64, Default: 0.5},
			{Name: "active", Type: field.TypeBool, Default: true},
			{Name: "joined", Type: field.TypeTime},
			{Name: "tags", Type: field.TypeJSON, Nullable: true},
			{Name: "uid", Type: field.TypeUUID, Nullable: true},
			{Name: "photo", Type: field.TypeBytes, Nullable: true},
			{Name: "role", Type: field.TypeEnum, Enums: []string{"admin", "reader"}, Default: "reader"},
		},
	}
	users.PrimaryKey = users.Columns[:1]
	users.Indexes = []*schema.Index{
		{Name: "user_name_age", Unique: true, Columns: []*schema.Column{users.Columns[2], users.Columns[1]}},
		{Name: "user_joined", Columns: []*schema.Column{users.Columns[6]}},
	}
	pets := &schema.Table{
		Name: "pets",
		Columns: []*schema.Column{
			{Name: "id", Type: field.TypeInt, Increment: true},
			{Name: "name", Type: field.TypeString},
			{Name: "user_pets", Type: field.TypeInt, Nullable: true},
		},
	}
	pets.PrimaryKey = pets.Columns[:1]
	pets.ForeignKeys = []*schema.ForeignKey{
		{Symbol: "pets_users_pets", Columns: pets.Columns[2:3], RefColumns: users.Columns[:1], RefTable: users, OnDelete: schema.SetNull},
	}
	groups := &schema.Table{
		Name:    "groups",
		Columns: []*schema.Column{{Name: "id", Type: field.TypeInt, Increment: true}, {Name: "title", Type: field.TypeString, Unique: true}},
	}
	groups.PrimaryKey = groups.Columns[:1]
	members := &schema.Table{
		Name:    "group_users",
		Columns: []*schema.Column{{Name: "group_id", Type: field.TypeInt}, {Name: "user_id", Type: field.TypeInt}},
	}
	members.PrimaryKey = members.Columns
	members.ForeignKeys = []*schema.ForeignKey{
		{Symbol: "group_users_group_id", Columns: members.Columns[:1], RefColumns: groups.Columns[:1], RefTable: groups, OnDelete: schema.Cascade},
		{Symbol: "group_users_user_id", Columns: members.Columns[1:], RefColumns: users.Columns[:1], RefTable: users, OnDelete: schema.Cascade},
	}
	return []*schema.Table{users, pets, groups, members}
}

// ent's migrations find the schema that is there, so that a second one has nothing to do and that
// of a later version what is new; and the graph behind ent's clients creates, finds, updates and
// deletes nodes and edges in it. What ent says of an error it reads from PostgreSQL's words; here
// errors.As finds db's.
func TestEntMigrate(t *testing.T) {
	p := pool(t)
	drv := entsql.OpenDB(dialect.Postgres, p)
	ctx := context.Background()
	var changes []string
	log := func(_ context.Context, v ...any) {
		if s := fmt.Sprint(v...); strings.Contains(s, ".Exec: query=") {
			_, s, _ = strings.Cut(s, "query=")
			changes = append(changes, strings.TrimSpace(strings.TrimSuffix(s, "args=[]")))
		}
	}
	m, err := schema.NewMigrate(dialect.DebugWithContext(drv, log), schema.WithForeignKeys(true), schema.WithDropColumn(true), schema.WithDropIndex(true))
	check(t, err)
	check(t, m.Create(ctx, entTables()...))
	if len(changes) < 4 {
		t.Errorf("the first migration: %q", changes)
	}
	changes = nil
	check(t, m.Create(ctx, entTables()...))
	if len(changes) > 0 {
		t.Errorf("the second migration: %q", changes)
	}

	id := func() *sqlgraph.FieldSpec { return sqlgraph.NewFieldSpec("id", field.TypeInt) }
	joined := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	create := func(name, email string, age int) *sqlgraph.CreateSpec {
		c := sqlgraph.NewCreateSpec("users", id())
		c.SetField("name", field.TypeString, name)
		c.SetField("email", field.TypeString, email)
		c.SetField("age", field.TypeInt, age)
		c.SetField("score", field.TypeFloat64, 1.5)
		c.SetField("active", field.TypeBool, true)
		c.SetField("joined", field.TypeTime, joined)
		c.SetField("tags", field.TypeJSON, json.RawMessage(`["a", "b"]`))
		c.SetField("uid", field.TypeUUID, "c0ffee00-0000-4000-8000-000000000000")
		c.SetField("photo", field.TypeBytes, []byte{0, 1, 255})
		c.SetField("role", field.TypeEnum, "admin")
		return c
	}
	ann := create("ann", "ann@example.org", 30)
	check(t, sqlgraph.CreateNode(ctx, drv, ann))
	batch := &sqlgraph.BatchCreateSpec{Nodes: []*sqlgraph.CreateSpec{create("ben", "ben@example.org", 40), create("cat", "cat@example.org", 50)}}
	check(t, sqlgraph.BatchCreate(ctx, drv, batch))
	ids := []any{ann.ID.Value, batch.Nodes[0].ID.Value, batch.Nodes[1].ID.Value}
	same(t, ids, []any{int64(1), int64(2), int64(3)})
	if err := sqlgraph.CreateNode(ctx, drv, create("dan", "ann@example.org", 1)); !sqlgraph.IsUniqueConstraintError(err) || !errors.As(err, new(*db.UniqueError)) {
		t.Errorf("an address that is there already: %v", err)
	}
	upsert := create("anna", "ann@example.org", 31)
	upsert.OnConflict = []entsql.ConflictOption{entsql.ConflictColumns("email"), entsql.ResolveWithNewValues()}
	check(t, sqlgraph.CreateNode(ctx, drv, upsert))

	for i, name := range []string{"rex", "kit"} { // pets of ann
		c := sqlgraph.NewCreateSpec("pets", id())
		c.SetField("name", field.TypeString, name)
		c.Edges = []*sqlgraph.EdgeSpec{{Rel: sqlgraph.M2O, Inverse: true, Table: "pets", Columns: []string{"user_pets"}, Target: &sqlgraph.EdgeTarget{Nodes: []driver.Value{ids[0]}, IDSpec: id()}}}
		check(t, sqlgraph.CreateNode(ctx, drv, c))
		same(t, c.ID.Value, driver.Value(int64(i+1)))
	}
	if err := func() error {
		c := sqlgraph.NewCreateSpec("pets", id())
		c.SetField("name", field.TypeString, "bo")
		c.Edges = []*sqlgraph.EdgeSpec{{Rel: sqlgraph.M2O, Inverse: true, Table: "pets", Columns: []string{"user_pets"}, Target: &sqlgraph.EdgeTarget{Nodes: []driver.Value{int64(99)}, IDSpec: id()}}}
		return sqlgraph.CreateNode(ctx, drv, c)
	}(); !sqlgraph.IsForeignKeyConstraintError(err) || !errors.As(err, new(*db.ReferenceError)) {
		t.Errorf("a pet of nobody: %v", err)
	}
	group := sqlgraph.NewCreateSpec("groups", id())
	group.SetField("title", field.TypeString, "staff")
	group.Edges = []*sqlgraph.EdgeSpec{{Rel: sqlgraph.M2M, Table: "group_users", Columns: []string{"group_id", "user_id"}, Target: &sqlgraph.EdgeTarget{Nodes: []driver.Value{ids[0], ids[1]}, IDSpec: id()}}}
	check(t, sqlgraph.CreateNode(ctx, drv, group))

	names := func(where func(*entsql.Selector)) (out []string) {
		t.Helper()
		q := sqlgraph.NewQuerySpec("users", []string{"id", "name", "joined"}, id())
		q.Predicate, q.Order = where, func(s *entsql.Selector) { s.OrderBy(s.C("name")) }
		q.ScanValues = func([]string) ([]any, error) { return []any{new(int64), new(string), new(time.Time)}, nil }
		q.Assign = func(_ []string, v []any) error {
			if at := *v[2].(*time.Time); !at.Equal(joined) {
				t.Errorf("joined at %v", at)
			}
			out = append(out, *v[1].(*string))
			return nil
		}
		check(t, sqlgraph.QueryNodes(ctx, drv, q))
		n, err := sqlgraph.CountNodes(ctx, drv, &sqlgraph.QuerySpec{Node: &sqlgraph.NodeSpec{Table: "users", ID: id()}, Predicate: where, Unique: true})
		check(t, err)
		same(t, n, len(out))
		return out
	}
	same(t, names(func(s *entsql.Selector) { s.Where(entsql.GT(s.C("age"), 30)) }), []string{"anna", "ben", "cat"})
	owns := sqlgraph.NewStep(sqlgraph.From("users", "id"), sqlgraph.To("pets", "id"), sqlgraph.Edge(sqlgraph.O2M, false, "pets", "user_pets"))
	same(t, names(func(s *entsql.Selector) {
		sqlgraph.HasNeighborsWith(s, owns, func(s *entsql.Selector) { s.Where(entsql.HasPrefix(s.C("name"), "r")) })
	}), []string{"anna"})
	same(t, names(func(s *entsql.Selector) { sqlgraph.HasNeighbors(s, owns) }), []string{"anna"})
	in := sqlgraph.NewStep(sqlgraph.From("users", "id"), sqlgraph.To("groups", "id"), sqlgraph.Edge(sqlgraph.M2M, true, "group_users", "group_id", "user_id"))
	same(t, names(func(s *entsql.Selector) { sqlgraph.HasNeighbors(s, in) }), []string{"anna", "ben"})

	update := sqlgraph.NewUpdateSpec("users", []string{"id"}, id())
	update.AddField("age", field.TypeInt, 5)
	update.ClearField("tags", field.TypeJSON)
	update.Predicate = func(s *entsql.Selector) { s.Where(entsql.In(s.C("name"), "ben", "cat")) }
	n, err := sqlgraph.UpdateNodes(ctx, drv, update)
	check(t, err)
	same(t, n, 2)
	n, err = sqlgraph.DeleteNodes(ctx, drv, &sqlgraph.DeleteSpec{Node: &sqlgraph.NodeSpec{Table: "users", ID: id()}, Predicate: func(s *entsql.Selector) { s.Where(entsql.EQ(s.C("name"), "anna")) }})
	check(t, err)
	same(t, n, 1)
	var free, members int
	check(t, p.QueryRow(`SELECT (SELECT count(*) FROM pets WHERE user_pets IS NULL), (SELECT count(*) FROM group_users)`).Scan(&free, &members))
	same(t, []int{free, members}, []int{2, 1})

	// A later version.
	later := entTables()
	u := later[0]
	u.Columns = append(u.Columns, &schema.Column{Name: "nick", Type: field.TypeString, Nullable: true}, &schema.Column{Name: "karma", Type: field.TypeInt, Default: 7})
	u.Columns[4].Nullable = true // score
	u.Indexes = append(u.Indexes[:1], &schema.Index{Name: "user_nick", Columns: u.Columns[11:12]})
	u.Columns = append(u.Columns[:9:9], u.Columns[10:]...) // without photo
	changes = nil
	check(t, m.Create(ctx, later...))
	for _, want := range []string{`ADD COLUMN "nick"`, `ADD COLUMN "karma"`, `DROP COLUMN "photo"`, `"score" DROP NOT NULL`, `DROP INDEX "user_joined"`, `CREATE INDEX "user_nick"`} {
		if !strings.Contains(strings.Join(changes, "; "), want) {
			t.Errorf("%q has no %s", changes, want)
		}
	}
	changes = nil
	check(t, m.Create(ctx, later...))
	if len(changes) > 0 {
		t.Errorf("the migration again: %q", changes)
	}
	var karma int
	check(t, p.QueryRow(`SELECT sum(karma) FROM users`).Scan(&karma))
	same(t, karma, 14)
}
