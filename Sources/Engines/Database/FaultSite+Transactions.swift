import Platform

extension FaultSite {
    /// A transaction is durable, also an empty one; none of its callers was told.
    static let transactionDurable = FaultSite("transaction-durable")
}
