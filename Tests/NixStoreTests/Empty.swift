// NixStoreTests
