// ChunkingTests
