// NixStore
