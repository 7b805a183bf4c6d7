"""How results look: the JSON envelope for programs, tables and panels for people."""
