"""How good a generator is by its pictures beside real ones: the protocol, its figures, and where features come from."""
