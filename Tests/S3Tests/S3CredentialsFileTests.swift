import S3
import Testing

@Suite struct S3CredentialsFileTests {
    let text = """
        # kept by hand
        [default]
        aws_access_key_id = AKIAONE
        aws_secret_access_key=one/secret=
        ; another
        [ work ]
        aws_access_key_id=AKIATWO
        aws_secret_access_key = two
        aws_session_token = ticket
        region = eu-west-1
        [half]
        aws_access_key_id = AKIATHREE
        """

    @Test func `a profile's keys are its own`() {
        #expect(
            S3CredentialsFile.credentials(in: text, profile: "default")
                == S3Credentials(accessKeyID: "AKIAONE", secretAccessKey: "one/secret="))
        #expect(
            S3CredentialsFile.credentials(in: text, profile: "work")
                == S3Credentials(accessKeyID: "AKIATWO", secretAccessKey: "two", sessionToken: "ticket"))
    }

    @Test(arguments: ["half", "none", ""])
    func `a profile that is not there, or not whole, has none`(profile: String) {
        #expect(S3CredentialsFile.credentials(in: text, profile: profile) == nil)
    }
}
