// swift-tools-version: 6.2
import PackageDescription

// The picture of the house. Layers are listed lowest first, and within a layer each target stands
// below the ones that use it. A target may name only targets that stand above it in this list;
// `checkedTargets` fails with a sentence where one does not.

let pictured: [Layer] = [
    Layer("Bindings", [
        .c("CLinux"),
        .system("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        .system("CPostgres", pkgConfig: "libpq", apt: "libpq-dev"),
        .system("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
        .system("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
        .system("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
        .system("CLZMA", pkgConfig: "liblzma", apt: "liblzma-dev"),
        .system("CBrotli", pkgConfig: "libbrotlienc", apt: "libbrotli-dev"),
        .system("CBzip2", pkgConfig: nil, apt: "libbz2-dev"),
    ]),
    Layer("Primitives", [
        .swift("Platform", uses: ["CLinux"]),
        .swift("Encoding"),
        .swift("Crypto", uses: ["COpenSSL", "Encoding"]),
        .swift("Compression", uses: ["CZstd", "CZlib", "CLZMA", "CBrotli", "CBzip2"]),
        .swift("SQL", uses: ["CSQLite", "CPostgres"]),
        .swift("ConfigFile"),
    ]),
    Layer("Formats", [
        .swift("HTTP"),
        .swift("Nix", uses: ["Encoding", "Crypto"]),
        .swift("AtticAPI", uses: ["Encoding", "Crypto", "Nix"]),
        .swift("Chunking"),
        .swift("S3", uses: ["Encoding", "Crypto"]),
    ]),
    Layer("Engines", [
        .swift("HTTPServer", uses: ["Platform", "HTTP"], packages: [.log]),
        .swift("Database", uses: ["Platform", "SQL", "Crypto", "Encoding", "Nix", "AtticAPI"], packages: [.log]),
        .swift("HTTPClient", uses: ["Platform", "Encoding", "Crypto", "HTTP"]),
        .swift("Storage", uses: ["Platform", "Crypto", "Encoding", "HTTP", "S3", "HTTPClient"], packages: [.log]),
        .swift("NixStore", uses: ["Platform", "SQL", "Encoding", "Crypto", "Nix"]),
    ]),
    Layer("Attic", [
        .swift("AtticServer", uses: [
            "Platform", "Encoding", "Crypto", "Compression", "ConfigFile",
            "HTTP", "Nix", "AtticAPI", "Chunking", "S3", "HTTPServer", "Database", "Storage",
        ], packages: [.log]),
        .swift("AtticClient", uses: [
            "Platform", "Encoding", "Crypto", "Compression", "ConfigFile", "HTTP", "Nix", "AtticAPI", "HTTPClient", "NixStore",
        ]),
    ]),
    Layer("Tools", [
        .swift("Subcommands", packages: [.arguments]),
        .tool("atticd", uses: ["AtticServer", "HTTPServer", "Platform"], packages: [.arguments, .log]),
        .tool("atticadm", uses: ["Subcommands", "AtticServer", "AtticAPI", "Platform"], packages: [.arguments, .log]),
        .tool("tetryx", uses: ["Subcommands", "AtticClient", "AtticAPI", "Platform"], packages: [.arguments]),
        .tool("atticbench", uses: [
            "Platform", "Encoding", "Crypto", "Compression", "HTTP", "Nix", "AtticAPI", "Chunking", "HTTPClient",
        ], packages: [.arguments]),
    ]),
]

/// What the fuzz targets in `Tests/FuzzTests` feed.
let fuzzed = [
    "AtticServer", "AtticClient", "HTTPServer", "HTTPClient", "NixStore", "HTTP", "Nix", "AtticAPI", "Chunking", "S3", "Compression",
    "ConfigFile", "Crypto", "Encoding", "Platform",
]

/// Test targets, by folder under `Tests`, with what they test. `Support` is what all of them share, `BucketSupport` what those do
/// that need a bucket.
let tests: [(name: String, uses: [String])] = [
    ("PlatformTests", ["Platform"]),
    ("EncodingTests", ["Encoding"]),
    ("CryptoTests", ["Crypto", "Encoding", "Platform"]),
    ("CompressionTests", ["Compression"]),
    ("SQLTests", ["SQL", "Platform"]),
    ("ConfigFileTests", ["ConfigFile"]),
    ("HTTPTests", ["HTTP"]),
    ("NixTests", ["Nix", "Encoding", "Crypto"]),
    ("AtticAPITests", ["AtticAPI", "Encoding", "Crypto", "Nix"]),
    ("ChunkingTests", ["Chunking", "Encoding", "Crypto", "Platform"]),
    ("S3Tests", ["S3", "Crypto"]),
    ("HTTPServerTests", ["HTTPServer", "HTTP", "Platform"]),
    ("DatabaseTests", ["Database", "SQL", "Platform", "Crypto", "Encoding", "Nix", "AtticAPI"]),
    ("StorageTests", ["BucketSupport", "Storage", "HTTPServer", "HTTPClient", "HTTP", "S3", "Platform", "Crypto"]),
    ("HTTPClientTests", ["HTTPClient", "HTTPServer", "HTTP", "Crypto", "Platform"]),
    ("NixStoreTests", ["NixStore", "Nix", "SQL", "Platform", "Crypto", "Encoding"]),
    ("AtticServerTests", [
        "BucketSupport", "AtticServer", "HTTPServer", "HTTP", "Database", "Storage", "AtticAPI", "Nix", "Chunking", "Compression", "S3",
        "Crypto", "Encoding", "ConfigFile", "SQL", "Platform",
    ]),
    ("SimulationTests", [
        "AtticServer", "HTTPServer", "HTTP", "Database", "Storage", "AtticAPI", "Nix", "Chunking", "Compression",
        "Crypto", "Encoding", "SQL", "Platform",
    ]),
    ("AtticClientTests", [
        "AtticClient", "HTTPClient", "NixStore", "AtticAPI", "HTTP", "Nix", "Compression", "ConfigFile", "Crypto", "Encoding", "Platform",
    ]),
    ("FuzzTests", fuzzed),
    ("CommandTests", ["Platform", "Encoding", "Compression"]),
    ("EndToEndTests", ["Platform", "Encoding"]),
    ("TidyTests", ["Platform"]),
]

/// Folders of test targets that are not compiled with them: vectors and scripts, which tests find beside themselves, and the fuzzer.
let unbuiltFolders: [String: [String]] = [
    "AtticServerTests": ["Vectors"], "ChunkingTests": ["Vectors"], "CommandTests": ["Snapshots"], "EndToEndTests": ["Shell"],
    "FuzzTests": ["Fuzzer"],
]

let package = Package(
    name: "tetryx",
    products: [
        .executable(name: "atticd", targets: ["atticd"]),
        .executable(name: "atticadm", targets: ["atticadm"]),
        .executable(name: "tetryx", targets: ["tetryx"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: checkedTargets(),
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)

// MARK: - How the picture becomes targets

/// One layer: the folder under `Sources`, and its targets, lowest first.
struct Layer {
    let name: String
    let targets: [Pictured]
    init(_ name: String, _ targets: [Pictured]) {
        self.name = name
        self.targets = targets
    }
}

/// One target of the picture.
struct Pictured {
    /// `pkgConfig` is nil for a library that comes without a file for pkg-config.
    enum Kind { case c, system(pkgConfig: String?, apt: String), library, tool }
    /// The packages from outside that targets may use.
    enum Outside { case arguments, log }
    let name: String
    let kind: Kind
    let uses: [String]
    let packages: [Outside]

    static func c(_ name: String) -> Pictured { Pictured(name: name, kind: .c, uses: [], packages: []) }
    static func system(_ name: String, pkgConfig: String?, apt: String) -> Pictured {
        Pictured(name: name, kind: .system(pkgConfig: pkgConfig, apt: apt), uses: [], packages: [])
    }
    static func swift(_ name: String, uses: [String] = [], packages: [Outside] = []) -> Pictured {
        Pictured(name: name, kind: .library, uses: uses, packages: packages)
    }
    static func tool(_ name: String, uses: [String], packages: [Outside]) -> Pictured {
        Pictured(name: name, kind: .tool, uses: uses, packages: packages)
    }
}

/// All targets, after checking that every arrow points at something that stands above in the list.
func checkedTargets() -> [Target] {
    let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]
    var standing: Set<String> = []
    var targets: [Target] = []
    for layer in pictured {
        for target in layer.targets {
            for used in target.uses where !standing.contains(used) {
                fatalError("\(target.name) uses \(used), which does not stand above it in Package.swift.")
            }
            standing.insert(target.name)
            let path = "Sources/\(layer.name)/\(target.name)"
            let dependencies = target.uses.map { Target.Dependency.target(name: $0) } + target.packages.map(product)
            switch target.kind {
            case .c:
                targets.append(.target(name: target.name, path: path))
            case .system(let pkgConfig, let apt):
                targets.append(.systemLibrary(name: target.name, path: path, pkgConfig: pkgConfig, providers: [.apt([apt])]))
            case .library:
                targets.append(.target(name: target.name, dependencies: dependencies, path: path, swiftSettings: strict))
            case .tool:
                targets.append(.executableTarget(name: target.name, dependencies: dependencies, path: path, swiftSettings: strict))
            }
        }
    }
    targets.append(.target(
        name: "Support", dependencies: ["Platform", "SQL"], path: "Tests/Support", swiftSettings: strict))
    targets.append(.target(
        name: "BucketSupport", dependencies: ["Support", "Platform", "HTTP", "S3", "HTTPServer", "HTTPClient", product(.log)],
        path: "Tests/BucketSupport", swiftSettings: strict))
    standing.insert("BucketSupport")
    if Context.environment["TETRYX_FUZZ"] != nil {
        // For scripts/fuzz: the fuzz targets as a program instead of tests, which the sanitizer's libraries have no use for.
        return targets + [.executableTarget(
            name: "fuzz", dependencies: fuzzed.map { .target(name: $0) }, path: "Tests/FuzzTests", exclude: ["CorpusTests.swift"],
            swiftSettings: strict)]
    }
    for test in tests {
        for used in test.uses where !standing.contains(used) {
            fatalError("\(test.name) uses \(used), which is not in the picture.")
        }
        targets.append(.testTarget(
            name: test.name,
            dependencies: ["Support"] + test.uses.map { .target(name: $0) },
            path: "Tests/\(test.name)",
            exclude: unbuiltFolders[test.name] ?? [],
            swiftSettings: strict))
    }
    return targets
}

func product(_ outside: Pictured.Outside) -> Target.Dependency {
    switch outside {
    case .arguments: .product(name: "ArgumentParser", package: "swift-argument-parser")
    case .log: .product(name: "Logging", package: "swift-log")
    }
}
