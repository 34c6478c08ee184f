// Package query is the way into the language: it prepares statements, runs
// them against a store and hands out their rows in batches.
//
// The stages live in internal packages, in the order a statement passes them:
// parse (text to tree), plan (names, types, rewrite rules, physical plan), exec
// (operators over column batches), with fn (functions) and source (files)
// beside them. A Session holds what outlives one statement: a transaction
// that was begun.
package query
