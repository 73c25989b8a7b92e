// AtticServer
