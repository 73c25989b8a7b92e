// AtticClient
