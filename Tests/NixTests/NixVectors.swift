/// What Nix 2.8.0 wrote when it copied two paths to a `file://` cache with a new key.
enum NixVectors {
    static let secretKey =
        "test-1:YB/cCowwgPyEX+qE8Jg+/CWICMTb1drf+0hRER3TgFbFpNyyrWyluqG/LVgUvHXfYdB54eHIuy2sYGJdRdAuqw=="
    static let publicKey = "test-1:xaTcsq1spbqhvy1YFLx132HQeeHhyLstrGBiXUXQLqs="

    static let built = """
        StorePath: /nix/store/nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool10-1
        URL: nar/1zrwam14c7cizif0j1whqyc53s32afmzf8i1cnmbhgvnw8gz78n2.nar.zst
        Compression: zstd
        FileHash: sha256:1zrwam14c7cizif0j1whqyc53s32afmzf8i1cnmbhgvnw8gz78n2
        FileSize: 2049
        NarHash: sha256:0h1zm01q7dfkah6v3lqdkfr36l00q3v1rlan3lf26dp28ad64q0a
        NarSize: 6776
        References: 10j3k2vx0yn1195bs63gp6s9lqjj6wv4-libperl5.36-1 2nwqj3axbk51gfm177fa4afymc0as7a9-krb5-locales-1 \
        cfzg44wc3lx522dzha4dhx8ggnv9lmjg-libc-dev-bin-1 jsv3hd7kkkc528iwyya6daiq5y86xjik-base-1 \
        nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool10-1
        Deriver: vw4sp979xlm3nwflaz0k3nxb17qg1sj3-tool10-1.drv
        Sig: test-1:zXQDyrRULlKrXpEEpJPhYMJo5fwfJ2CGbuDfHa7EOR8RYJtLApEsAB1YT2PIW2b+j/PsS44vwzwNe4I+ajyHDQ==

        """

    static let added = """
        StorePath: /nix/store/292qsfsa3n0rqgzxhhqxwas3ahxrzxzl-t
        URL: nar/1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j.nar
        Compression: none
        FileHash: sha256:1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j
        FileSize: 528
        NarHash: sha256:1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j
        NarSize: 528
        References:\u{20}
        Sig: test-1:3dyCkzHEQrzSLqL89YUyDOR27PGS0zXDTGkO2G9YOTsSeesVBrHyZyfkoblWX8o1N7wge31PWQBpIhyz1YRuCw==
        CA: fixed:r:sha256:1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j

        """
}
