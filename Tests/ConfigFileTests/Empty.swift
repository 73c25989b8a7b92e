// ConfigFileTests
