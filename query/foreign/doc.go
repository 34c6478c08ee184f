// Package foreign is what Lupa asks of a database whose tables are attached: ATTACH gives it
// a name, and statements use its tables beside those of the store. A driver, such as package
// db/postgres, says what the other engine computes with the meaning that the language has;
// the planner asks it for that, and does the rest itself.
package foreign
