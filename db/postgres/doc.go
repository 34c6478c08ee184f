// Package postgres attaches databases that speak PostgreSQL's protocol and have pgvector's
// types: PostgreSQL itself, Citus, CockroachDB, YugabyteDB and those that clouds sell. It is
// in a package of its own so that only programs which want it carry it:
//
//	store, err := db.Open("photos.lupa", &db.Options{Attach: []db.Attachable{postgres.Opener(nil)}})
//	_, err = store.Exec(ctx, "ATTACH 'postgres://reader@host/archive' AS archive")
//
// Lupa encodes phrases and pictures itself and asks for what the engine computes with the
// meaning that Lupa's language has: conditions, the nearest rows by each distance, orders,
// limits, counts and plain aggregates. Texts are compared by their bytes (COLLATE "C"), as
// everywhere in Lupa. A search is exact: an approximate index is used for LIMIT ... APPROX
// alone.
package postgres
