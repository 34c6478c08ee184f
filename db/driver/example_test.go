package driver_test

import (
	"database/sql"
	"fmt"
	"log"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
)

func Example() {
	pool := sql.OpenDB(driver.NewConnector(":memory:", nil))
	defer pool.Close()
	if _, err := pool.Exec(`CREATE TABLE pics (id TEXT PRIMARY KEY, v VECTOR(2));
		INSERT INTO pics VALUES ('a', [1, 0]), ('b', [0, 1])`); err != nil {
		log.Fatal(err)
	}
	var id string
	var v []float32
	if err := pool.QueryRow(`SELECT id, v FROM pics ORDER BY v <=> $1 LIMIT 1`, []float32{0.2, 1}).Scan(&id, &v); err != nil {
		log.Fatal(err)
	}
	fmt.Println(id, v)
	// Output: b [0 1]
}

func ExampleRegister() {
	driver.Register() // importing the package alone registers nothing
	pool, err := sql.Open("lupa", "photos.lupa?mode=memory")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	fmt.Println(pool.Ping())
	// Output: <nil>
}

func ExampleForDB() {
	store, err := db.Open(":memory:", nil) // for what database/sql has no words for
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	pool := sql.OpenDB(driver.ForDB(store))
	defer pool.Close()
	var n int
	fmt.Println(pool.QueryRow(`SELECT 1 + 1`).Scan(&n), n)
	// Output: <nil> 2
}

func ExampleParseDSN() {
	dir, opts, err := driver.ParseDSN("photos.lupa?mode=ro")
	fmt.Println(dir, opts.ReadOnly, err)
	// Output: photos.lupa true <nil>
}
