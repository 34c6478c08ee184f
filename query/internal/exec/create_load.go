package exec

import (
	"context"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// CreateAndLoad makes a table of the rows of its input, however many they are: the table is
// there, without a row, while they come, and gone if they don't.
type CreateAndLoad struct {
	Load
	def   storage.TableDef
	Wrong func(error) error // gives the place of an error about the table
}

// NewCreateAndLoad returns a CreateAndLoad over in.
func NewCreateAndLoad(in Operator, env *Env, def storage.TableDef) *CreateAndLoad {
	return &CreateAndLoad{Load: Load{input: input{in}, Env: env}, def: def}
}

func (c *CreateAndLoad) Next(ctx context.Context) (_ *value.Batch, err error) {
	if c.Def != nil {
		return nil, nil
	}
	if err := c.change(ctx, func(tx *storage.Tx) (err error) {
		c.Def, err = tx.CreateTable(ctx, c.def)
		return c.Wrong(err)
	}); err != nil {
		return nil, err
	}
	if _, err = c.Load.Next(ctx); err == nil {
		return nil, nil
	}
	gone := context.WithoutCancel(ctx)
	c.change(gone, func(tx *storage.Tx) error { return tx.DropTable(gone, c.def.Name) })
	return nil, err
}

// change changes the catalog.
func (c *CreateAndLoad) change(ctx context.Context, f func(tx *storage.Tx) error) error {
	tx, err := c.Env.Store.Begin(ctx)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit(ctx)
}

func (c *CreateAndLoad) String() string { return "Create table " + c.def.Name }
