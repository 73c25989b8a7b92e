// AtticClientTests
