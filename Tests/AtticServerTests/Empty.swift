// AtticServerTests
