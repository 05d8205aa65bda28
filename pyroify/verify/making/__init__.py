"""How objects of a project are made and called: arguments, inputs, imports, sizes."""
