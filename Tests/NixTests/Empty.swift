// NixTests
