import SQL

/// The end of an upload: one transaction that makes NARs, their chunks and the objects that name them.
///
/// The order of a commit: the bytes are made durable first (by the caller: fdatasync of every pack), then this runs. Whatever
/// a crash leaves behind is bytes that no row names. Two uploads may bring the same chunk or NAR: the first row stays, and the
/// second's bytes are noted as dead.
extension CatalogSession {
    /// Needs `write`. Anything but `.committed` has written nothing: all is looked at before the first row, and none of
    /// the commit's own rows takes away what another of its paths relies on.
    package func commitUpload(_ commit: Commit) throws(DatabaseError) -> CommitOutcome {
        let step = CommitStep(commit)
        let obstacle = try trying("look at what an upload relies on") { connection throws(SQLError) in
            try step.obstacle(connection)
        }
        if let obstacle { return obstacle }
        try trying("note an upload's packs") { connection throws(SQLError) in try step.putPacks(connection) }
        try trying("make NARs") { connection throws(SQLError) in try step.makeNars(connection) }
        var committed: [Committed] = []
        committed.reserveCapacity(commit.paths.count)
        for path in commit.paths {
            committed.append(try trying("commit a NAR") { connection throws(SQLError) in try step.put(path.nar, connection) })
        }
        let objectIDs = try putObjects(zip(commit.paths, committed).map { (object: $0.object, narID: $1.narID) })
        for (index, path) in commit.paths.enumerated() {
            committed[index].objectID = objectIDs[index]
            // What was here may have come ahead of its narinfo; from now on the object keeps it.
            guard case .existing(let narID, _) = path.nar else { continue }
            try trying("end the hold of a file") { connection throws(SQLError) in
                try connection.endHolds(ofNar: narID, cacheID: commit.cacheID)
            }
        }
        if let file = commit.file {
            let done = try trying("commit a NAR") { connection throws(SQLError) in try step.put(file.nar, connection) }
            try trying("note a file that was pushed") { connection throws(SQLError) in
                try connection.putReceivedFile(file.file, done.narID)
            }
            committed.append(done)
        }
        try trying("settle an upload") { connection throws(SQLError) in try step.settle(connection) }
        if let uploadID = commit.uploadID { try endUpload(uploadID) }
        if step.hasMovedChunks { for index in committed.indices { committed[index].hasMovedChunks = true } }
        return .committed(committed)
    }
}
