// Nix
