// AtticAPI
