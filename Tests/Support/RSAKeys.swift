/// Keys of RSA for tests, made with openssl by hand. None of them opens anything.
package enum RSAKeys {
    /// `openssl genrsa -traditional 2048`
    package static let privatePKCS1 = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEpAIBAAKCAQEAtdbvYfLszbNUx7uFsbgtzGYvUbRHuw/vu/7jqteLh27/HyLA
        g+oyBQfq5Z+Zl13fSauookPF+m80BlwqBIHAi6omzwEnAS7CpysNKg/hTyp+vKJ4
        nWW7pp4d5Ut5ja/xztFmtzLtSMRwosHaXuFR/1ziwacBTGVGeAgqBJb1E4K7zipH
        PITdlPpxLBGgGl7jzl9dKE0ZScj2evOrDPAyV9rzdX+x3Io2TGlsdA0l2P4FnA3s
        NCE+cXO6aD0qZi+GYLlyTE8F+xl0AqtuvSm2ZoyQaY7G1ZMqIV/9pHOh49Y84QCM
        ExDLwFpx0BkI+P+eKBq7teWFUAfqdj9qhmQS9QIDAQABAoIBAAadeUZEGvbywVtQ
        yEYqWp7XJX0170QatNB52djIZZ7kMVYgeAYfL3mntj/AmiBRExia15QrngNZ0ffc
        mM9i1Fk1s/APl9Z/An19X0m6m9TlnrMIasCNx7wB1Y7sENHQPEjsrO1uO1v3KtfT
        mzjyE9RpPHs/XZiPY0xmPk0TcXqnqjl9wbuKlNcZwlixvbxYqU1qGJDgV22Hc4Cp
        YqIHVXgb7Sxo1sMXOkzwYUcy/3Y7dIyAyDi8lJY42NDshDCMQJRoxN36dwbhqifW
        0Q6HH538/e5D1uVcm/CVXfdQ6zJIwCPbsiyYEzqJWujNyv8Hsyi4bl/TGDzj8HCG
        KeZf6cECgYEA9XdD4+vfcEC0YlbY9XlX4JGhk2UwSCuX7zPtECPg/li51Jv3fI55
        DsES2Qfod7rfAMJEfOD/V1+NItyBtkv9nYJA/qHkbwdHu0qVORrQtcv5tQtsa8rb
        kxxsTA7xFvZ6LuGierDPU8G6hZeanLU0cyjRMKgLGQ5wTUqK3jwoMCECgYEAvaSo
        zV6bZnSeYS05Q7yGxeHXZjFTOS2hdu90ogY3HG8UPa8ZhZxzrsh8nfRfYQ0lnDfd
        lFA8lhzJ3XQlRv92/eWuTngu0SX18FIw2YXo4yKfwCgGIm8BQKtL7sk5L7C3Xg1F
        sLcSudbeeXku+Azi0ueQy1OPk2Vh/5V5+6tpGFUCgYAaXyrjFNdXlwwKOKxsixHe
        5aaHUGrEhjJ3l4uTnVcx3FRyvCL1tdTZufKNcKUQH/qPeU+kXwPv3isqoKgq7rUb
        s//Jm5kQOKcDPzsS/IeJ0JVOVyDZ39yBTJ9x+HT8c5Si7sjnB5HuvLSOX8BTr8An
        0y3OXW97zKpSE30h7TKgIQKBgQCAqKtU2TB4q/mfV/0XtVmB+pwV2rTpf8mhVQc9
        vRW6lqmWx6p6+Q+Krr3Ms7PZtf+kIkqTinPwK4vQUDHSHxLtYduFpQeuISDfcANw
        L+c14ZGb3gt7ZO/mndAgKig/8JYWms6C+1Ea/2lj5BE3fBaOm0eiighIKWn46cIe
        OcZNGQKBgQDBEf+M/CLglh5AMkby/ZU6iWPoEYBHabRF9Re6OQBLfzNSwi7oawBS
        VZ74T9XapvN1DcPCPFQRYdvm2ic4otIvyBnTNTE8VfcQpEQe97o3bShHcy17A/Dz
        jVNAIa5+PjutzwDVNBrkpFZXT8+KHy3CFzmTMLDMkfScpOFkjxMxiA==
        -----END RSA PRIVATE KEY-----

        """

    /// The same: `openssl pkcs8 -topk8 -nocrypt`
    package static let privatePKCS8 = """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC11u9h8uzNs1TH
        u4WxuC3MZi9RtEe7D++7/uOq14uHbv8fIsCD6jIFB+rln5mXXd9Jq6iiQ8X6bzQG
        XCoEgcCLqibPAScBLsKnKw0qD+FPKn68onidZbumnh3lS3mNr/HO0Wa3Mu1IxHCi
        wdpe4VH/XOLBpwFMZUZ4CCoElvUTgrvOKkc8hN2U+nEsEaAaXuPOX10oTRlJyPZ6
        86sM8DJX2vN1f7HcijZMaWx0DSXY/gWcDew0IT5xc7poPSpmL4ZguXJMTwX7GXQC
        q269KbZmjJBpjsbVkyohX/2kc6Hj1jzhAIwTEMvAWnHQGQj4/54oGru15YVQB+p2
        P2qGZBL1AgMBAAECggEABp15RkQa9vLBW1DIRipantclfTXvRBq00HnZ2MhlnuQx
        ViB4Bh8veae2P8CaIFETGJrXlCueA1nR99yYz2LUWTWz8A+X1n8CfX1fSbqb1OWe
        swhqwI3HvAHVjuwQ0dA8SOys7W47W/cq19ObOPIT1Gk8ez9dmI9jTGY+TRNxeqeq
        OX3Bu4qU1xnCWLG9vFipTWoYkOBXbYdzgKliogdVeBvtLGjWwxc6TPBhRzL/djt0
        jIDIOLyUljjY0OyEMIxAlGjE3fp3BuGqJ9bRDocfnfz97kPW5Vyb8JVd91DrMkjA
        I9uyLJgTOola6M3K/wezKLhuX9MYPOPwcIYp5l/pwQKBgQD1d0Pj699wQLRiVtj1
        eVfgkaGTZTBIK5fvM+0QI+D+WLnUm/d8jnkOwRLZB+h3ut8AwkR84P9XX40i3IG2
        S/2dgkD+oeRvB0e7SpU5GtC1y/m1C2xrytuTHGxMDvEW9nou4aJ6sM9TwbqFl5qc
        tTRzKNEwqAsZDnBNSorePCgwIQKBgQC9pKjNXptmdJ5hLTlDvIbF4ddmMVM5LaF2
        73SiBjccbxQ9rxmFnHOuyHyd9F9hDSWcN92UUDyWHMnddCVG/3b95a5OeC7RJfXw
        UjDZhejjIp/AKAYibwFAq0vuyTkvsLdeDUWwtxK51t55eS74DOLS55DLU4+TZWH/
        lXn7q2kYVQKBgBpfKuMU11eXDAo4rGyLEd7lpodQasSGMneXi5OdVzHcVHK8IvW1
        1Nm58o1wpRAf+o95T6RfA+/eKyqgqCrutRuz/8mbmRA4pwM/OxL8h4nQlU5XINnf
        3IFMn3H4dPxzlKLuyOcHke68tI5fwFOvwCfTLc5db3vMqlITfSHtMqAhAoGBAICo
        q1TZMHir+Z9X/Re1WYH6nBXatOl/yaFVBz29FbqWqZbHqnr5D4quvcyzs9m1/6Qi
        SpOKc/Ari9BQMdIfEu1h24WlB64hIN9wA3Av5zXhkZveC3tk7+ad0CAqKD/wlhaa
        zoL7URr/aWPkETd8Fo6bR6KKCEgpafjpwh45xk0ZAoGBAMER/4z8IuCWHkAyRvL9
        lTqJY+gRgEdptEX1F7o5AEt/M1LCLuhrAFJVnvhP1dqm83UNw8I8VBFh2+baJzii
        0i/IGdM1MTxV9xCkRB73ujdtKEdzLXsD8PONU0Ahrn4+O63PANU0GuSkVldPz4of
        LcIXOZMwsMyR9Jyk4WSPEzGI
        -----END PRIVATE KEY-----

        """

    /// Its public part: `openssl rsa -pubout`
    package static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtdbvYfLszbNUx7uFsbgt
        zGYvUbRHuw/vu/7jqteLh27/HyLAg+oyBQfq5Z+Zl13fSauookPF+m80BlwqBIHA
        i6omzwEnAS7CpysNKg/hTyp+vKJ4nWW7pp4d5Ut5ja/xztFmtzLtSMRwosHaXuFR
        /1ziwacBTGVGeAgqBJb1E4K7zipHPITdlPpxLBGgGl7jzl9dKE0ZScj2evOrDPAy
        V9rzdX+x3Io2TGlsdA0l2P4FnA3sNCE+cXO6aD0qZi+GYLlyTE8F+xl0AqtuvSm2
        ZoyQaY7G1ZMqIV/9pHOh49Y84QCMExDLwFpx0BkI+P+eKBq7teWFUAfqdj9qhmQS
        9QIDAQAB
        -----END PUBLIC KEY-----

        """

    /// The same: `openssl rsa -RSAPublicKey_out`
    package static let publicPKCS1 = """
        -----BEGIN RSA PUBLIC KEY-----
        MIIBCgKCAQEAtdbvYfLszbNUx7uFsbgtzGYvUbRHuw/vu/7jqteLh27/HyLAg+oy
        BQfq5Z+Zl13fSauookPF+m80BlwqBIHAi6omzwEnAS7CpysNKg/hTyp+vKJ4nWW7
        pp4d5Ut5ja/xztFmtzLtSMRwosHaXuFR/1ziwacBTGVGeAgqBJb1E4K7zipHPITd
        lPpxLBGgGl7jzl9dKE0ZScj2evOrDPAyV9rzdX+x3Io2TGlsdA0l2P4FnA3sNCE+
        cXO6aD0qZi+GYLlyTE8F+xl0AqtuvSm2ZoyQaY7G1ZMqIV/9pHOh49Y84QCMExDL
        wFpx0BkI+P+eKBq7teWFUAfqdj9qhmQS9QIDAQAB
        -----END RSA PUBLIC KEY-----

        """

    /// A certificate of it: `openssl req -x509`
    package static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIC+TCCAeGgAwIBAgIUPhm2J0dzVMrUacRk3IXzFztRqfcwDQYJKoZIhvcNAQEL
        BQAwDDEKMAgGA1UEAwwBeDAeFw0yNjExMjMwNDE5NThaFw0yNjEyMjMwNDE5NTha
        MAwxCjAIBgNVBAMMAXgwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQC1
        1u9h8uzNs1THu4WxuC3MZi9RtEe7D++7/uOq14uHbv8fIsCD6jIFB+rln5mXXd9J
        q6iiQ8X6bzQGXCoEgcCLqibPAScBLsKnKw0qD+FPKn68onidZbumnh3lS3mNr/HO
        0Wa3Mu1IxHCiwdpe4VH/XOLBpwFMZUZ4CCoElvUTgrvOKkc8hN2U+nEsEaAaXuPO
        X10oTRlJyPZ686sM8DJX2vN1f7HcijZMaWx0DSXY/gWcDew0IT5xc7poPSpmL4Zg
        uXJMTwX7GXQCq269KbZmjJBpjsbVkyohX/2kc6Hj1jzhAIwTEMvAWnHQGQj4/54o
        Gru15YVQB+p2P2qGZBL1AgMBAAGjUzBRMB0GA1UdDgQWBBSKRZQYqiIqA4y+fZUZ
        h7ZO4S5K6DAfBgNVHSMEGDAWgBSKRZQYqiIqA4y+fZUZh7ZO4S5K6DAPBgNVHRMB
        Af8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQBUPL1QoY0Kxf2zhWiy7tpF017j
        imkBYx5Yl0ax4ktQhQEcnCVmgTufkTfSGo4AecpP7fhKFNl/Z1M9bxtqkC9jMPJg
        lOQsDEGi2jnYNAl8i0ZhxsYrTpIufEML0aNxG8e6PmIxxqh1AKaXZQT8jKYw2uWt
        GgwJocxrjqU4fH3HdD+ll4xbEw2NnZEfHgaFlpfRuMEcJ4gmqS6SvLtBhBcBO7Nu
        YVFqAwUpjb+OnW4ZHp+ZZPiWltE21ID5iWSeBhYfzMmKZakrEQTA7q6k+eRBo+xM
        AVDCgMlup5J+MAxnNEQiRbgiY+tqa51A+fIs9wC1HT0ZhWsTHlaTOPkjm0GC
        -----END CERTIFICATE-----

        """

    /// `openssl rsa -traditional -aes128`
    package static let encryptedPKCS1 = """
        -----BEGIN RSA PRIVATE KEY-----
        Proc-Type: 4,ENCRYPTED
        DEK-Info: AES-128-CBC,4474C08C6139261B59DA0BC0B6C9FF28
        
        8JXXXzVd0U57NN4512DTp/8NPvOd5IkaqCmKefnvhmNijxVv1Qm7ZPYv0fOoXuWi
        xA9mo9jWdZ+MloBmhMOzOjB4J2nU+gQNOLdNYtEjktJSgT+ouurFq9/XTgIKYkr1
        rox2BVtT8oblA+kQcZXAkBAhsE6DIYq9XfZNlIn960p+BHcF6EAWBQPzkB3UTxK1
        QBErGN8wpeVIy77kmXOuB50riw8G9NZDH7GdgFOgYDXP5AMWgrEevvuDS+M/JkHf
        Jcdy/KSyXQ4A7bEac6WgyWGsTo1aDj+oZx80YAcOXmlT+2cBs4BbIqSLneNsxHHl
        f+0r5FrAiPc5VTeGP5Tg0hWT9mjDwHuJb7F47zDGEO83v6fSr4l6VGmw/XcUEx2/
        PKGtr9DFn5/gU2ftw6LZXY7cHTBYNiJ9NtdU4TnqxY+SqMQ/KhIZ9WSJ0eGxSFjD
        Ouv+6NzO/GE9hFjhs00M+Lw6aLQ/5TZ9Q4AQzbi3HPDVsbYRbAescriH1QrUMNoK
        lYHWo3LMxyBCZvraEjRWXNm+0sqTzzuOB+ajMn8FEm+8Q0Qb1ECX5+bWA+N6MaBf
        6A/YFBOElvkZL1MCees13HQ9mz9VOIw5hofGrReDafkynQLSVyo0kliPyGxT2DEr
        ZOPQVsh35Qhet89U7qnN4Rg5NDBufQ8ygg3CrT+/kd8cnH5SOFK+EMupjfY+HmxQ
        pAt56ThtwPrbv5UKpCSImV3WLM9RKL2j4AY1fnoIp8l+6BzgpFMOL4+UbCVd9SxJ
        GsfxikC5p4poxlFbeFzHIO5EFKRActBTsrGc7tmxV74moHZhBYdG1uwZb66egUvd
        hmP5XTtJncca42HBBpjwQGlk8VSSMnC999PDmeg1IEudqDHaN9D+775mP/dKuLR5
        xxcg9xhGjC8MKxisgw+Bve5gxQL9VS1UG24q7YmE/Db/JUj2wkHt3IYHhJB2hPM/
        SPY8HSHAJxeo94gAiq4K50ar15IdRZ2iBkAIFr6VyO/yGNTnvjG4CxgQxNDnZB8R
        iDLU/a2/1zPt8g/axDRRohNKg1hbwFGyikopTA99WieJXO6V4Uus1XpJ7BqHARf6
        vLziarM/WeHzx0RWl4r7wn4z7M1OB22rJh2xDIujnDLUUV8I/UjAfs8en0G4sHiP
        MTne0IH4K5wLDVD5J1dYVpNz9XCQ3zt/c38i3qTLC/PvxFbhJFLvdVcjbP2fx8Cw
        o9FIfnRXmSTFPhRF1JFZYmBTBritSq2yL3LoaUuq+jY+9tB1xnCvWkCJt1UDwX5A
        ao3xGwAzdTWOLxonVC8gtNoC8Ng0ilvr1ReAMaGmg3vJHChgzgbyjIgcfmtyn2ps
        nebbfYIe1Fx+6q3dWW2WgLKWVJHx4yOGOndPTWjnjHJvn0N8giVOGox4mE2Ct2j8
        jCsQqTzphq0jsj9Cj+hN9KPbja+zVfCc5OtTWGh3uQGq0sx6ju04KvzsAfgSLEWV
        ygw6Nbmv4ksOhLz2zhsA3vetKGCxrdI44q4pPXPKpxHDDNLpCM7gVLJhID6OtJ5c
        82Uteqqx5IfARI5asaUFy+x7c2lg0ZkIwXWwMy26Zq8PP4OCDciFfyZCNQSmKLDq
        -----END RSA PRIVATE KEY-----

        """

    /// `openssl pkcs8 -topk8`
    package static let encryptedPKCS8 = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIvW/NfTQWGvkCAggA
        MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBAGocU0rb4jec6erxljI6kEBIIE
        0DZ3Iv/Jg2+UvhaWbt0goBFl15Bzk7weWMff4EGA5O9Wr0IYIvBOe30oTcjcERCY
        Z+2V6r4GVsx54TcHbelDoTDfMNs96sE1+2JO6RvktFn8rBS5/1v/WNkuelwPRBjE
        sZ7InK/TKueWt8shH/X1Fq+XQTbnr+DPItyJoUmDc4h+GUEdiudn/n3hJxaanDDX
        cNNHBzZFPa+/ne+1qdlynzn41wA66VvFqHuWZJYdkrq3xB1s8LHqDiHxkw8tg0KE
        spziILFk2ykkxUX19StczXWeSzCxJGszPwX8vgqW/2rgjbOKU8UNZ4P19gflATFf
        NyeKWGEv71a87JaOCmqLwumdD0TCanMfe2e2y31EJQmF2xjlxHb4gL78c0pZ/w4c
        l4JtlxRF7w+nTSZRS7wPkudC52Em9hEZrpVUbnEv1wYYxGjZ5GHEVjSq+vL7VqgJ
        5VE6WTIija2cw1HQx0gPSWoHoFec+LumbJrytGO+BgkJdWKejMOHNVzGaxtPbrvY
        0R3ZwAojRr0lH9Uf+CikcKzNzs9K252okde50FI0yeNq9pwmN/bGdnJVCX/CTUKy
        VZ2LJJJn+Do5Y2eIjv3TnTekUvdux0cg8fDmV8zkzYVDW6Vf0P4rMMyvpVYAwapV
        Rg/1izyCcL0mDC/SvsFEVOdxiBnnUcaKtanqOmV0RWQkoPc8uxq+tfWvNuXl+c8y
        V2X24G7W9BYH2ynuTINnt2D8jxHnMmvEcpC+OeY2wb7nAWfZ/IfXHA8uRZ3AilJQ
        cVTn9cIxo5Kb8Klm2y7P61jCJRbYsTAyZAPM0FtPIzwR1OJBhYVLWy3CUaKDsCdq
        c3PtCWxSSZBVZTPtek1y/uJpQLABvku/a2afnAwzrR2FDnox1qxeK5UWW1efBzH8
        l4jlyFNPVtK/cBl0Ou+VLs/ijuTBvG7I01mTWbjNvohWMRkn0IseeMwe8MOzxLn7
        zvMeiKVtpQNQKjkBXqHnID4qmxA271JpDX4qs3spiejVwqeFuabIUakMx58n9OVY
        yeBPZbg5m3I519mM9hAJDY9j9aSG4lQDiAUDDgd+Mp3ugjwWUCnDohulQT9mfHpw
        YDzvInUi1fRwWkyEg5T1WLjYCiS4xg2KpZw56r+zc5o1dSrABRYbrZ58QQ+P7BEW
        iZ+IyFrXT86xC83IwUvdhujsn333gJUaXzf0slCOifZ7rcNxkjtCQVzdZSkl4ft4
        oCwu2Rz54L07Y83BZercACHWtV5bV5xtdgT1A2+PMcp7mkmfH/ayuQi74oV9hdLd
        QnGUyH2KtCEpSLiOcmAydIR328oiaRVBhdPLQ4+qWnBhwNu+rv+sbpgD832U6Nrv
        L7/7PjZrV3PBpz3pcuRC1k5rZQRX1E0s2mYO3FdUmY8Xhdz6VkhtsVvqFXHP87YU
        a9GI0db3zssI2wyWs3k7lpgTVvgirCsWAGI8Xvy4G/0YjAqccAMT4nyOtWYm7dd8
        ZBCq/0FOjC4QS4qsEdSOOv09WjRrwTe53Hws3g58w4fST2E7Kjh5xVfWvR7PDbEk
        VDGmKkdHHobKXO02tj8dYs8QdryvPU6qW5QcsqMdMGAq5hCiS8YJz6ncSxQr8ORs
        zQ4g6jNSF05Y817Tt4YYgNs73oBkOWLq2lfiiVKn9fqU
        -----END ENCRYPTED PRIVATE KEY-----

        """

    /// `openssl genrsa -traditional 1024`
    package static let small = """
        -----BEGIN RSA PRIVATE KEY-----
        MIICXAIBAAKBgQDNwrnTyyiTPZ8FamEcgYEmZUAgTZ621An9eYrI53EB8qAKAKlb
        CtcQRgqvKxce4P+Z6469t/tBiYaM1s9tGzdoZ5gydKycF57tHFYZtykvr23Bvy9h
        rfNlYU+gJUQ8dVtBxs09BR5PyhS1JIZY2UhH1kSIm0edCnDBxo7siDB0ywIDAQAB
        AoGANOScvmwYJxmNGmhJRHmqCIO4o1UwupDxbH5lBdYw/64uI8QdxPCZbm6C6pqq
        G9789cVO8UgtR6ChvOyvb72yVSbW57FF3VbBxq/+Q3mfSsqURr463ej3x3Q6pkMA
        d1Dx+iusnDlUTOlWGE1DNGJMjwJVAfLQjFxpfpX5dJtHPIkCQQD83LBJRdp0DK6P
        n/s+Z0vFOsNL4jsEMlzKvYlUUdBivcjt/xV62nXaoXAwmB6Ic+RqS7hoqnfddiV5
        F+2ICdxvAkEA0FBm5AjSvV8ihG44uz3Zfhyqr0Th67kIxTgzJWSY0UUIMS+mnyao
        LOLLlI4uj9i6yGgKailOfjtfyWJaBrPTZQJBAJV6iKPoLWmpDZBODKIpQjuHr2eu
        hyDF/ODFBufXrY6RjrRStQn5Fu51vPKdGn+jswW7WXpWO6GpdCGPqZVf7vUCQFhF
        qcP5hSuf86WAe2PEqrQI+773hnB34SKJVQsEXMlY4kbNdWK9Y8hZdoEF2u8znLqt
        c7RWup89E7LnjVSHwQ0CQAZmPrEeAC625HsRU/iHwgMeGTlFekY2YkwxG0VL0zro
        TNSfXluISX6yhsHuTq8loB/L8wMeiipQfQabUrOLjBA=
        -----END RSA PRIVATE KEY-----

        """

    /// `openssl genrsa -traditional 2047`
    package static let almost = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEoQIBAAKCAQBPmGz3OPWWNgAP3dWRYIEQyE2PpFRNuNw/+bomw4xn2431reqA
        hJFMpdl3s7674KMarslDCTrp7DxjmlrwhgcpCG4EgAQsWSi1PmAmtim58VOOxfGP
        3fkKb3WSDzYko60BaYdTWUUP8hjth4+tky0LdiMVUJzXqu7MfMdtHAo1U9lxrfxX
        WnrDll+MUJ3zA2zN25SD8fcgl5Be6VdVZ30ejOshfIa3oROCLOyVQXlUn7SEIiOb
        +hN32wFJBAlAmkOYlu3CWtDrJ+KFWVYkpAu6SoFeXf+qkO74EmKuh0bDWzgfzwXX
        lJFlG3qn9NGugsvcSbcRl1z5vi5zGO5XhdBxAgMBAAECggEAF3HmZsu4Sw6M5h+J
        kNDEM5VMg0r8KgiRl6aPVmuzJ8RcBEm+ESz7P4B6le+z9tMsN+fUEJLfb5fOEeid
        cMuJwGRjQ6ARmp6IhxpgaAawM70Jx7w2cxIHETPThbpFUHWFuCzFV5+r4A6HmS+c
        +punYQDjRJwCFuSaglEezNy9hQdc0e/nD3oCjpGgGTBfbce7IIaGPX5EGhYuh9OH
        UG/RdR0NHd+IQjh0fd2PTX6xOf1Hs0HXpzg3aBG73puRsgelxq4TUI36DD7qv2+1
        HiqhaCKpluCzS3KbroqX0ZHZdQjN9Gjy77mI4woeGeQm8rwztFdw6J7ML4fHDHKc
        SBfrIQKBgQDH/NUbKzQ9W9WR6j8wlzRd72rHhrJCbCDTohm0SR9FA1inr4X/Nu+2
        tf3nz+UCYWI/TrTsZEMmH9aKdVAQrjIjFIeoGYs76xy9lMiHRM0iSqCWJBVK2OJ9
        cFUfiqTqCycLfIm1tBizm5+3cWS+HQblikGiBX9ff5tSc9xQJqRiKwKBgGXjcEJ3
        kQwrwXUdcmMXmlF9xNeLkIbeVwHvmhJkWZfXiYgnbL2WHStGX9vHZ02Qs028P8UM
        bkW29GRcyASyvzsqyQNDlPwXlUoX/9N26vgKSrtA7/wO0XcjSwXesKvF3BQPthj2
        Ore+1Zt7R9EQON7H26qHsd2r8mTn3+JEIjXTAoGAZecM56UiH0nWD13fCPFi+6Jt
        NHIMDxBtwajNlDHWPyIvYHJtwtfJWb5uPFqQhJ/+oeeHBRUpqhl7Bl40h+tbHMjv
        PtaVPdjVcjyH2XVTWW/RV+/W8aaF8gj1Nvc8hQ1dvdqdiPrVw18/CQg8nyrHQtsq
        ClbmylCJYoAq+KRYCrUCgYBgI6aWoRm1YUgvCPUZOXk8ca8eL6vVBtEUm5BG0HeV
        hiRY29KIZa/qWII08EeycdoufHWzqhIXKBYc6Us2268D1lBMCyX2ZQ5SFqknUOtP
        1u5DGHgZ36WYhC3TQRh1TMJoD5ckoJoxLRmDl2ThiSwQUocctuOHJisXOZAQgXfC
        TwKBgQCFd3vZkqSqA9D9JhjKqcjJYAX/h/qQpClP5R1oVXDJKmR0T3F2ZvA8qzwL
        vIRbH/tTID2B62yVvpfPEmGl1+6KcFi6jonEA6Fu8oq/9+QNwAYXZoHQIAzTYMFw
        PyUzUxjVQMiE3fPGQCUOgLUYi2lcfoF9o45k5ZsotVIk9FcTKw==
        -----END RSA PRIVATE KEY-----

        """

    /// `openssl genpkey -algorithm rsa-pss`, which is for another padding only
    package static let ofPSS = """
        -----BEGIN PRIVATE KEY-----
        MIIEuwIBADALBgkqhkiG9w0BAQoEggSnMIIEowIBAAKCAQEA4Tiv2L1xau/FZWkT
        loN/WWkhHNNwgwfJQRAp7TyYmOl3E6fra5/0Z2Emt5uyBIlqnC44nscyhYZwOMpx
        UTLLppZHYHirt9VI2wRXlfENn5x/wpuVEcjeUb5Nih+dJlR1WeqEvcHNzvHhsWYU
        rhXDhTPkCL5UhZD7rRZcq6IaZluvRxPpbkl7MvWRjWG4vF6qOpmT+VSdqrXEwAs8
        pTdqszlf2iaMWOsAj9RsZbGbLhuCAz0LLfEKsBpkf76MaL2ZsRsFgFYfZ8Bik8nk
        /p4BEDzRIGtXBiTYHMr1Ovy+H/IhpHJTS2Vu4ZaQSPkpZyNvFq1Jrl7O2+l/p22o
        gazVqQIDAQABAoIBADuI7JLyoQSPlTKVcCQdZpCQBbzE97zrVfvo9exMVFo3fM6p
        WMX+ZnDdcYqfkZM5cAERBs6SAXziaM/aU9IPB15l40BRJbNWogejQjPUoLFMgUlE
        L0egPYSGNaEJclUrhknagHRYwrqtnedzAIx0HFcdvG3DQjx8csryWlTUaP4dRzOt
        W5an8KMv9OeEviKu53iEFg5fybF4VECu+x3xNEGck0bFJIkmI7MVvztobAmPsT3/
        dQMvlE2QlLaZY1vTb9G0j5c7W9IcewOG9ItXQ4cPphHIE1jnjx07NxwZTHCdmEPR
        h60rYqSJ1hmjWiaMqBIsG/AcmpUdA5ckwlqP07ECgYEA/lsS7uD54vkGTpG0COcs
        mg5BfwmzLVF6TiySA/wMIKyo/anzVt/5mN3kFU3PjIqD7vvFN0+rUnrMNhoYUh0e
        js/kMk5ipMvgSWTFJPmPWABrkFwEWwrkSnt+MGrtP2rGiU3xu+rHBC0SYS7cEKCi
        mkt6RHWi155YlWqyCBNhoOMCgYEA4q1mPiwVgEzXM/otKPSCAWeT3KDPuFMOGfAM
        lRfgAuBO7+GyihURm1aJCwDV8rXcVeLATz+OfW/tn3v2HSMIBl7frfWs+ehMbZdB
        3hJ6UGxk1LH83g7VVGawTYqaCbQEZJjLudtmzFqa17899uDD4YT5tnxJnBHFv3Cv
        MRR5sQMCgYEA0ite0ZOD50/tLi6mnFSoPgNZiybwrpmMfdvGKxSw0K7aU/+B2l7n
        VrDCLfhFbtNlgKr4omNqJJTi+DFHt1HoVgjhfc/XImRzxzFE1PCAyS5PstDVqISv
        bfvsoQU5VBVeR0XoYGX2XDUB4ttdaz/QG74SIU8yZweoGo423QVmvhECgYBkgwcH
        In0WOvxh69kChAjxnoAOILB6xzlFfw/VPJT0MYpPDAEjAVyhSKnT2zcDPGjLHJSx
        jzkbnfn78feby+DPElqUxI9C8SKSpbNrST47UxUSyymZPXKSzkX23DKZgt0/zhDo
        BMV8b+ChMgfD5L52zYP8yvfI4IiS7uCAHtgnCQKBgBdGRIt3qItgZAeZoYTqt3Jt
        5/4s/NPIUsLcv+mqFc58hfp4668/TeMxSnEPKyBqD75ku6TzT2zYzA3rHz72sWdg
        tFSf71fMbNduGCdz5XECh3EaTdcegNKVyWJ/wvWpNXQ3F9JcPAtw2KJUC+b63NFu
        p8ukrs5zmi/ftD7u/B2V
        -----END PRIVATE KEY-----

        """

    /// `openssl ecparam -name prime256v1 -genkey -noout`
    package static let curve = """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIA5QJPETj5S+2T8lPVpaZXpEPV7oLFc1tOHtquAkIceKoAoGCCqGSM49
        AwEHoUQDQgAEmFaMgPWfQoPLa4NV1Be/cIHIxfDcTbW5F9M2LQAUdby6nlIQgtyc
        EcHx0i2UC69T2+Aq6/UROYPKWQ+luP3sIg==
        -----END EC PRIVATE KEY-----

        """

    /// `openssl ec -pubout`
    package static let curvePublic = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmFaMgPWfQoPLa4NV1Be/cIHIxfDc
        TbW5F9M2LQAUdby6nlIQgtycEcHx0i2UC69T2+Aq6/UROYPKWQ+luP3sIg==
        -----END PUBLIC KEY-----

        """

    /// The public part with 1 for its exponent.
    package static let exponentOfOne = """
        -----BEGIN RSA PUBLIC KEY-----
        MIIBCAKCAQEAtdbvYfLszbNUx7uFsbgtzGYvUbRHuw/vu/7jqteLh27/HyLAg+oy
        BQfq5Z+Zl13fSauookPF+m80BlwqBIHAi6omzwEnAS7CpysNKg/hTyp+vKJ4nWW7
        pp4d5Ut5ja/xztFmtzLtSMRwosHaXuFR/1ziwacBTGVGeAgqBJb1E4K7zipHPITd
        lPpxLBGgGl7jzl9dKE0ZScj2evOrDPAyV9rzdX+x3Io2TGlsdA0l2P4FnA3sNCE+
        cXO6aD0qZi+GYLlyTE8F+xl0AqtuvSm2ZoyQaY7G1ZMqIV/9pHOh49Y84QCMExDL
        wFpx0BkI+P+eKBq7teWFUAfqdj9qhmQS9QIBAQ==
        -----END RSA PUBLIC KEY-----

        """

    /// The private key with other private exponents.
    package static let tornApart = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEpAIBAAKCAQEAtdbvYfLszbNUx7uFsbgtzGYvUbRHuw/vu/7jqteLh27/HyLA
        g+oyBQfq5Z+Zl13fSauookPF+m80BlwqBIHAi6omzwEnAS7CpysNKg/hTyp+vKJ4
        nWW7pp4d5Ut5ja/xztFmtzLtSMRwosHaXuFR/1ziwacBTGVGeAgqBJb1E4K7zipH
        PITdlPpxLBGgGl7jzl9dKE0ZScj2evOrDPAyV9rzdX+x3Io2TGlsdA0l2P4FnA3s
        NCE+cXO6aD0qZi+GYLlyTE8F+xl0AqtuvSm2ZoyQaY7G1ZMqIV/9pHOh49Y84QCM
        ExDLwFpx0BkI+P+eKBq7teWFUAfqdj9qhmQS9QIDAQABAoIBAAadeUZEGvbywVtQ
        yEYqWp7XJX0170QatNB52djIZZ7kMVYgeAYfL3mntj/AmiBRExia15QrngNZ0ffc
        mM9i1Fk1s/APl9Z/An19X0m6m9TlnrMIasCNx7wB1Y7sENHQPEjsrO1uO1v3KtfT
        mzjyE9RpPHs/XZiPY0xmPk0TcXqnqjl9wbuKlNcZwlixvbxYqU1qGJDgV22Hc4Cp
        YqIHVXgb7Sxo1sMXOkzwYUcy/3Y7dIyAyDi8lJY42NDshDCMQJRoxN36dwbhqifW
        0Q6HH538/e5D1uVcm/CVXfdQ6zJIwCPbsiyYEzqJWujNyv8Hsyi4bl/TGDzj8HCG
        KeZf6cMCgYEA9XdD4+vfcEC0YlbY9XlX4JGhk2UwSCuX7zPtECPg/li51Jv3fI55
        DsES2Qfod7rfAMJEfOD/V1+NItyBtkv9nYJA/qHkbwdHu0qVORrQtcv5tQtsa8rb
        kxxsTA7xFvZ6LuGierDPU8G6hZeanLU0cyjRMKgLGQ5wTUqK3jwoMCECgYEAvaSo
        zV6bZnSeYS05Q7yGxeHXZjFTOS2hdu90ogY3HG8UPa8ZhZxzrsh8nfRfYQ0lnDfd
        lFA8lhzJ3XQlRv92/eWuTngu0SX18FIw2YXo4yKfwCgGIm8BQKtL7sk5L7C3Xg1F
        sLcSudbeeXku+Azi0ueQy1OPk2Vh/5V5+6tpGFUCgYAaXyrjFNdXlwwKOKxsixHe
        5aaHUGrEhjJ3l4uTnVcx3FRyvCL1tdTZufKNcKUQH/qPeU+kXwPv3isqoKgq7rUb
        s//Jm5kQOKcDPzsS/IeJ0JVOVyDZ39yBTJ9x+HT8c5Si7sjnB5HuvLSOX8BTr8An
        0y3OXW97zKpSE30h7TKgIwKBgQCAqKtU2TB4q/mfV/0XtVmB+pwV2rTpf8mhVQc9
        vRW6lqmWx6p6+Q+Krr3Ms7PZtf+kIkqTinPwK4vQUDHSHxLtYduFpQeuISDfcANw
        L+c14ZGb3gt7ZO/mndAgKig/8JYWms6C+1Ea/2lj5BE3fBaOm0eiighIKWn46cIe
        OcZNGwKBgQDBEf+M/CLglh5AMkby/ZU6iWPoEYBHabRF9Re6OQBLfzNSwi7oawBS
        VZ74T9XapvN1DcPCPFQRYdvm2ic4otIvyBnTNTE8VfcQpEQe97o3bShHcy17A/Dz
        jVNAIa5+PjutzwDVNBrkpFZXT8+KHy3CFzmTMLDMkfScpOFkjxMxiA==
        -----END RSA PRIVATE KEY-----

        """

    /// Claims `sub` alice, `exp` 2000, `iat` 900, pull and push everywhere; signed by `openssl dgst -sha256 -sign`.
    package static let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMCwiaWF0Ijo5MDAsImh0dHBzOi8vand0LmF0dGljLnJzL3YxIjp7ImNhY2hlcyI6eyIqIjp7InIiOjEsInciOjF9fX19.VMCo-uxBUZQTb2Neozn4Dn8GVb6xsGOfZ42KUFcGzdNMh84kysSXHoMokzpRc0y1_JYr_F_avtGKBOZV8IJQC-D6BBNNjcS0SgGSGbvJ0aEyi3rq0sXUB6jNf4haoOrXiTqIyODZ2XdMU8s7ca9YR3U4mx2euKIEZajPP4teJjFA7hdoFFhl5EzxfLgHsk55BobIWQc8muvb0wyiHq8DfGQP6cFRIDtF7VMiAdcQstDKaWr4SFzMxKXveX37vM5OhyYhiw5ExAhfZPaSkizp2g3O4TIYATgfRtqpoNI5GKIe49twOvgWmRIWzuyL6a0lrvU17wAZ_8O3A7NZdOt9tQ"
}
