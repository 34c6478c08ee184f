package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/pressly/goose/v3"
	"github.com/tmc/langchaingo/embeddings"
	"github.com/tmc/langchaingo/schema"
	"github.com/tmc/langchaingo/vectorstores"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
)

func pool(t *testing.T) *sql.DB {
	t.Helper()
	driver.Register()
	p, err := sql.Open(driver.Name, "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "store"))+"?nosync")
	check(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// goose's migrations, as its PostgreSQL dialect sends them: up, down, and up again.
func TestGoose(t *testing.T) {
	p := pool(t)
	ctx := context.Background()
	files := fstest.MapFS{
		"00001_users.sql": {Data: []byte(`-- +goose Up
CREATE TABLE users (
    id BIGSERIAL PRIMARY KEY,
    email VARCHAR(255) NOT NULL UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()
);
CREATE INDEX users_name ON users USING btree (name);
-- +goose Down
DROP TABLE users;
`)},
		"00002_documents.sql": {Data: []byte(`-- +goose Up
-- +goose StatementBegin
CREATE EXTENSION IF NOT EXISTS vector;
-- +goose StatementEnd
CREATE TABLE documents (
    id BIGSERIAL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    body TEXT NOT NULL CHECK (body <> ''),
    embedding vector(3)
);
ALTER TABLE users ADD COLUMN karma INTEGER NOT NULL DEFAULT 0;
INSERT INTO users (email) VALUES ('ann@example.org');
-- +goose Down
ALTER TABLE users DROP COLUMN karma;
DROP TABLE documents;
`)},
	}
	g, err := goose.NewProvider(goose.DialectPostgres, p, files)
	check(t, err)
	for range 2 {
		done, err := g.Up(ctx)
		check(t, err)
		if len(done) != 2 {
			t.Fatalf("%d migrations", len(done))
		}
		again, err := g.Up(ctx)
		check(t, err)
		if v, err := g.GetDBVersion(ctx); v != 2 || err != nil || len(again) != 0 {
			t.Errorf("version %d, %v; %d migrations more", v, err, len(again))
		}
		var id, karma int
		check(t, p.QueryRow(`SELECT id, karma FROM users WHERE email = $1`, "ann@example.org").Scan(&id, &karma))
		if _, err := p.Exec(`INSERT INTO documents (user_id, body, embedding) VALUES ($1, 'x', '[1,2,3]')`, id); err != nil {
			t.Error(err)
		}
		if _, err := p.Exec(`INSERT INTO documents (user_id, body) VALUES ($1, 'x')`, id+100); err == nil {
			t.Error("a document without a user")
		}
		_, err = g.DownTo(ctx, 0)
		check(t, err)
		if err := p.QueryRow(`SELECT count(*) FROM users`).Scan(&id); err == nil {
			t.Error("there are still users")
		}
	}
}

type Author struct {
	ID        uint   `gorm:"primaryKey"`
	Name      string `gorm:"size:100;not null;uniqueIndex"`
	Email     *string
	CreatedAt time.Time
	DeletedAt gorm.DeletedAt `gorm:"index"`
	Books     []Book
}

// AuthorNow is the table of Author in a later version of a program.
type AuthorNow struct {
	ID        uint   `gorm:"primaryKey"`
	Name      string `gorm:"size:120;not null;uniqueIndex:idx_authors_name"`
	Email     *string
	Nick      *string `gorm:"unique"`
	Born      int     `gorm:"not null;default:1900;check:born_later,born > 1000"`
	CreatedAt time.Time
	DeletedAt gorm.DeletedAt `gorm:"index:idx_authors_deleted_at"`
}

func (AuthorNow) TableName() string { return "authors" }

func columnsOf(t *testing.T, p *sql.DB) (all []string) {
	t.Helper()
	rows, err := p.Query(`SELECT concat_ws(' ', table_name, column_name, udt_name, character_maximum_length, is_nullable, column_default) FROM information_schema.columns ORDER BY table_name, ordinal_position`)
	check(t, err)
	defer rows.Close()
	for rows.Next() {
		var c string
		check(t, rows.Scan(&c))
		all = append(all, c)
	}
	check(t, rows.Err())
	return all
}

type Book struct {
	ID       uint `gorm:"primaryKey"`
	AuthorID uint `gorm:"index"`
	Title    string
	Price    float64
	Data     string    `gorm:"type:jsonb;default:'{}'"`
	Emb      db.Floats `gorm:"type:vector(3)"`
}

// GORM with its PostgreSQL dialect: tables, rows, associations, upserts, transactions within
// each other, soft deletion and search.
func TestGORM(t *testing.T) {
	p := pool(t)
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: p, DriverName: driver.Name}), &gorm.Config{Logger: logger.Default.LogMode(logger.Silent)})
	check(t, err)
	check(t, g.AutoMigrate(&Author{}, &Book{}))
	if m := g.Migrator(); !m.HasTable(&Author{}) || m.HasTable("nothing") || !m.HasColumn(&Book{}, "Title") || m.HasColumn(&Book{}, "nothing") {
		t.Error("GORM does not see what is there")
	}
	before := columnsOf(t, p)
	check(t, g.AutoMigrate(&Author{}, &Book{})) // sees that nothing is to be done
	if after := columnsOf(t, p); !reflect.DeepEqual(before, after) {
		t.Errorf("a second AutoMigrate changed the tables: %v, then %v", before, after)
	}
	check(t, g.AutoMigrate(&AuthorNow{})) // adds columns
	check(t, g.AutoMigrate(&AuthorNow{})) // and what is unique among them
	if m := g.Migrator(); !m.HasColumn(&AuthorNow{}, "Born") || !m.HasConstraint(&Book{}, "fk_authors_books") {
		t.Error("a third AutoMigrate adds no column, or lost a constraint")
	}
	types, err := g.Migrator().ColumnTypes(&AuthorNow{})
	check(t, err)
	for _, c := range types {
		unique, _ := c.Unique()
		key, _ := c.PrimaryKey()
		if unique != (c.Name() == "nick") || key != (c.Name() == "id") {
			t.Errorf("%s: unique %v, primary key %v", c.Name(), unique, key)
		}
	}
	indexes, err := g.Migrator().GetIndexes(&AuthorNow{})
	check(t, err)
	if len(indexes) != 2 { // those that no constraint made
		t.Errorf("%d indexes", len(indexes))
	}
	mail := "ann@example.org"
	ann := Author{Name: "Ann", Email: &mail, Books: []Book{{Title: "Wolves", Price: 10, Emb: db.Floats{1, 0, 0}}, {Title: "Fish", Price: 20, Emb: db.Floats{0, 1, 0}}}}
	check(t, g.Create(&ann).Error)
	if ann.ID == 0 || ann.Books[1].ID == 0 || ann.Books[0].AuthorID != ann.ID || ann.Books[0].Data != "{}" {
		t.Errorf("%+v", ann)
	}
	check(t, g.Create(&[]Author{{Name: "Ben"}, {Name: "Cem"}}).Error)
	if err := g.Create(&Author{Name: "Ann"}).Error; err == nil {
		t.Error("a second Ann")
	}
	check(t, g.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"email"})}).Create(&Author{Name: "Ben", Email: &mail}).Error)
	var got []Author
	check(t, g.Preload("Books", func(tx *gorm.DB) *gorm.DB { return tx.Order("title") }).Where("email = ?", mail).Order("name DESC").Find(&got).Error)
	if len(got) != 2 || got[0].Name != "Ben" || len(got[1].Books) != 2 || got[1].Books[0].Title != "Fish" {
		t.Errorf("%+v", got)
	}
	check(t, g.Model(&Book{}).Where("price < ?", 15).Updates(map[string]any{"price": gorm.Expr("price * ?", 2), "title": "Grey wolves"}).Error)
	var sum struct {
		N     int64
		Total float64
	}
	check(t, g.Model(&Book{}).Select("count(*) AS n, sum(price) AS total").Joins("JOIN authors ON authors.id = books.author_id").Scan(&sum).Error)
	if sum.N != 2 || sum.Total != 40 {
		t.Errorf("%+v", sum)
	}
	// Transactions within each other are savepoints.
	undo := errors.New("undo")
	check(t, g.Transaction(func(tx *gorm.DB) error {
		if err := tx.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&Author{Name: "Dan"}).Error; err != nil {
				t.Error(err)
			}
			return undo
		}); err != undo {
			t.Error(err)
		}
		return tx.Create(&Author{Name: "Eve"}).Error
	}))
	check(t, g.Where("name = ?", "Cem").Delete(&Author{}).Error)
	var names []string
	check(t, g.Model(&Author{}).Order("name").Limit(10).Offset(0).Pluck("name", &names).Error)
	if strings.Join(names, " ") != "Ann Ben Eve" {
		t.Error(names)
	}
	var n int64
	check(t, g.Unscoped().Model(&Author{}).Where("deleted_at IS NOT NULL").Count(&n).Error)
	var near Book
	check(t, g.Order(clause.Expr{SQL: "emb <=> ?", Vars: []any{db.Floats{0.9, 0.1, 0}}}).First(&near).Error)
	if n != 1 {
		t.Errorf("%d deleted", n)
	}
	var first Author
	if err := g.Where("name = ?", "nobody").First(&first).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
		t.Error(err)
	}
	check(t, g.FirstOrCreate(&first, Author{Name: "Fay"}).Error)
	check(t, g.Save(&first).Error)
}

// ent's statements, as its PostgreSQL dialect builds them.
func TestEnt(t *testing.T) {
	p := pool(t)
	ctx := context.Background()
	drv := entsql.OpenDB(dialect.Postgres, p)
	_, err := p.Exec(`CREATE TABLE "users" ("id" bigint GENERATED BY DEFAULT AS IDENTITY, "age" bigint NOT NULL, "name" character varying NOT NULL DEFAULT 'unknown', PRIMARY KEY ("id"));
		CREATE TABLE "pets" ("id" bigint GENERATED BY DEFAULT AS IDENTITY, "name" character varying NOT NULL, "user_pets" bigint NULL, PRIMARY KEY ("id"), CONSTRAINT "pets_users_pets" FOREIGN KEY ("user_pets") REFERENCES "users" ("id") ON DELETE SET NULL);
		CREATE UNIQUE INDEX "user_name" ON "users" ("name")`)
	check(t, err)
	b := entsql.Dialect(dialect.Postgres)
	query := func(q entsql.Querier, dest any) {
		t.Helper()
		s, args := q.Query()
		var rows entsql.Rows
		if err := drv.Query(ctx, s, args, &rows); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		defer rows.Close()
		reflect.ValueOf(dest).Elem().SetZero()
		if err := entsql.ScanSlice(rows, dest); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	exec := func(q entsql.Querier) {
		t.Helper()
		s, args := q.Query()
		if err := drv.Exec(ctx, s, args, nil); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	var ids []int
	query(b.Insert("users").Columns("age", "name").Values(30, "ann").Values(40, "ben").Returning("id"), &ids)
	if len(ids) != 2 {
		t.Fatal(ids)
	}
	exec(b.Insert("pets").Columns("name", "user_pets").Values("rex", ids[0]).Values("kit", ids[0]).Values("bo", nil))
	exec(b.Insert("users").Columns("age", "name").Values(31, "ann").OnConflict(entsql.ConflictColumns("name"), entsql.ResolveWithNewValues()))
	u, pets := b.Table("users").As("t0"), b.Table("pets").As("t1")
	var names []string
	query(b.Select(u.C("name")).From(u).Join(pets).On(u.C("id"), pets.C("user_pets")).Where(entsql.And(entsql.GT(u.C("age"), 30), entsql.Or(entsql.HasPrefix(pets.C("name"), "r"), entsql.In(pets.C("name"), "kit", "x")))).GroupBy(u.C("name")).Having(entsql.GT(entsql.Count("*"), 1)).OrderBy(entsql.Desc(u.C("name"))).Limit(5), &names)
	same(t, names, []string{"ann"})
	var n []int
	query(b.Select(entsql.Count("*")).From(b.Table("users")).Where(entsql.Not(entsql.ContainsFold("name", "AN"))), &n)
	same(t, n, []int{1})
	exec(b.Update("users").Add("age", 5).Set("name", "bob").Where(entsql.EQ("name", "ben")))
	query(b.Select("age").From(b.Table("users")).Where(entsql.In("id", ids[0], ids[1])).OrderBy("age"), &n)
	same(t, n, []int{31, 45})
	exec(b.Delete("users").Where(entsql.EQ("id", ids[0])))
	query(b.Select("name").From(b.Table("pets")).Where(entsql.IsNull("user_pets")).OrderBy("name"), &names)
	same(t, names, []string{"bo", "kit", "rex"})
}

// Store is LangChainGo's vector store over a table.
type Store struct {
	db  *db.DB
	emb embeddings.Embedder
}

var _ vectorstores.VectorStore = (*Store)(nil)

func (s *Store) AddDocuments(ctx context.Context, docs []schema.Document, _ ...vectorstores.Option) ([]string, error) {
	texts := make([]string, len(docs))
	for i, d := range docs {
		texts[i] = d.PageContent
	}
	vecs, err := s.emb.EmbedDocuments(ctx, texts)
	if err != nil {
		return nil, err
	}
	var ids []string
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		for i, d := range docs {
			id, err := db.Get[int64](ctx, tx, `INSERT INTO documents (content, metadata, embedding) VALUES ($1, $2, $3) RETURNING id`, d.PageContent, d.Metadata, vecs[i])
			if err != nil {
				return err
			}
			ids = append(ids, fmt.Sprint(id))
		}
		return nil
	})
	return ids, err
}

func (s *Store) SimilaritySearch(ctx context.Context, query string, k int, options ...vectorstores.Option) ([]schema.Document, error) {
	var o vectorstores.Options
	for _, f := range options {
		f(&o)
	}
	q, err := s.emb.EmbedQuery(ctx, query)
	if err != nil {
		return nil, err
	}
	near := &db.NearestOptions{Columns: []string{"content", "metadata"}, MinScore: float64(o.ScoreThreshold), HasMinScore: o.ScoreThreshold != 0}
	if o.Filters != nil {
		near.Where, near.Args = `metadata @> $1`, []any{o.Filters}
	}
	found, err := s.db.Nearest(ctx, "documents", "embedding", q, k, near)
	if err != nil {
		return nil, err
	}
	var docs []schema.Document
	for _, m := range found {
		d := schema.Document{PageContent: m.Values[0].Str(), Score: float32(m.Score)}
		if meta, ok := db.GoValue(m.Values[1]).(interface{ MarshalJSON() ([]byte, error) }); ok {
			raw, err := meta.MarshalJSON()
			if err != nil {
				return nil, err
			}
			d.Metadata = map[string]any{"raw": string(raw)}
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// letters embeds a text as how often it has a, b and c.
type letters struct{}

func (letters) CreateEmbedding(_ context.Context, texts []string) ([][]float32, error) {
	var out [][]float32
	for _, s := range texts {
		out = append(out, []float32{float32(strings.Count(s, "a")), float32(strings.Count(s, "b")), float32(strings.Count(s, "c"))})
	}
	return out, nil
}

func TestLangChainGo(t *testing.T) {
	ctx := context.Background()
	d, err := db.Open(":memory:", nil)
	check(t, err)
	defer d.Close()
	_, err = d.Exec(ctx, `CREATE TABLE documents (id BIGSERIAL PRIMARY KEY, content TEXT NOT NULL, metadata JSONB, embedding VECTOR(3))`)
	check(t, err)
	emb, err := embeddings.NewEmbedder(letters{})
	check(t, err)
	s := &Store{d, emb}
	ids, err := s.AddDocuments(ctx, []schema.Document{{PageContent: "aaa", Metadata: map[string]any{"lang": "x"}}, {PageContent: "bb", Metadata: map[string]any{"lang": "y"}}, {PageContent: "ab", Metadata: map[string]any{"lang": "y"}}})
	check(t, err)
	if len(ids) != 3 {
		t.Fatal(ids)
	}
	for _, c := range []struct {
		options []vectorstores.Option
		want    string
	}{
		{nil, "aaa ab"},
		{[]vectorstores.Option{vectorstores.WithFilters(map[string]any{"lang": "y"})}, "ab bb"},
		{[]vectorstores.Option{vectorstores.WithScoreThreshold(0.9)}, "aaa"},
	} {
		docs, err := vectorstores.ToRetriever(s, 2, c.options...).GetRelevantDocuments(ctx, "aa")
		check(t, err)
		var got []string
		for _, d := range docs {
			got = append(got, d.PageContent)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
}
