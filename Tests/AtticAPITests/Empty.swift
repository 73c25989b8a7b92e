// AtticAPITests
