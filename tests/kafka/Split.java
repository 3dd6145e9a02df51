import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.Base64;
import java.util.Collections;

/**
 * Splits a key store: NAME.p12 and NAME.pem (private key and certificate chain, as Kafka's PEM stores have it) for each
 * entry, and trust.p12 and ca.pem with the certificate of the entry "ca".
 */
public final class Split {
    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        char[] password = arguments[1].toCharArray();
        KeyStore all = KeyStore.getInstance("PKCS12");
        try (var in = new FileInputStream(directory.resolve("all.p12").toFile())) {
            all.load(in, password);
        }
        for (String name : Collections.list(all.aliases())) {
            Key key = all.getKey(name, password);
            Certificate[] chain = all.getCertificateChain(name);
            KeyStore one = empty();
            one.setKeyEntry(name, key, password, chain);
            store(one, directory.resolve(name + ".p12"), password);
            StringBuilder text = new StringBuilder(pem("PRIVATE KEY", key.getEncoded()));
            for (Certificate certificate : chain) {
                text.append(pem("CERTIFICATE", certificate.getEncoded()));
            }
            Files.writeString(directory.resolve(name + ".pem"), text);
        }
        KeyStore trust = empty();
        trust.setCertificateEntry("ca", all.getCertificate("ca"));
        store(trust, directory.resolve("trust.p12"), password);
        Files.writeString(directory.resolve("ca.pem"), pem("CERTIFICATE", all.getCertificate("ca").getEncoded()));
    }

    private static KeyStore empty() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static void store(KeyStore store, Path file, char[] password) throws Exception {
        try (var out = new FileOutputStream(file.toFile())) {
            store.store(out, password);
        }
    }

    private static String pem(String type, byte[] bytes) {
        byte[] newline = "\n".getBytes(StandardCharsets.US_ASCII);
        String body = Base64.getMimeEncoder(64, newline).encodeToString(bytes);
        return "-----BEGIN " + type + "-----\n" + body + "\n-----END " + type + "-----\n";
    }
}
