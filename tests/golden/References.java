import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.common.config.ConfigData;
import org.apache.kafka.common.config.ConfigTransformer;
import org.apache.kafka.common.config.provider.ConfigProvider;

/**
 * Writes references.txt with Kafka's own code: values, and what its ConfigTransformer makes of them
 * when every name is that of a provider, which answers <name|path|key>.
 * java -cp 'LIB/*' -Dstdout.encoding=UTF-8 tests/golden/References.java > tests/golden/references.txt
 */
public final class References {
    private static final String[] VALUES = {
        "plain $ { } text",
        "${env:A}",
        "${file:/a/b.properties:c.d}",
        "${file:/a}",
        "x${env:A}y${env:B}z",
        "${env:A}${env:B}",
        "${a:b:c:d}",
        "${a::c}",
        "${a:b:}",
        "${a::}",
        "${:}",
        "${:b:}",
        "${}",
        "${HOME}",
        "${HOME} ${env:A}",
        "${HOME ${env:A}",
        "${x${env:A}}",
        "${a:${b:c}}",
        "${env:A",
        "${env:A ${env:B}",
        "$${env:A}",
        "\\${env:A}",
        "$ {env:A}",
        "${env:A}}",
        "{${env:A}}",
        "${ env : A }",
        "é${env:é}é",
        "password=\"${file:/run/secrets/kafka.properties:password}\";",
    };

    public static void main(String[] arguments) {
        Map<String, ConfigProvider> all = new HashMap<>() {
            @Override
            public ConfigProvider get(Object name) {
                return new Echo((String) name);
            }
        };
        ConfigTransformer transformer = new ConfigTransformer(all);
        System.out.println("# value, and what ConfigTransformer of kafka-clients 4.3.1 makes of it;"
            + " by References.java");
        for (String value : VALUES) {
            Map<String, String> made = transformer.transform(Map.of("x", value)).data();
            System.out.println(value + "\t" + made.get("x"));
        }
    }

    private record Echo(String name) implements ConfigProvider {
        @Override
        public ConfigData get(String path) {
            return get(path, Set.of());
        }

        @Override
        public ConfigData get(String path, Set<String> keys) {
            return new ConfigData(keys.stream().collect(Collectors.toMap(
                key -> key,
                key -> "<" + name + "|" + path + "|" + key + ">")));
        }

        @Override
        public void configure(Map<String, ?> configs) {
        }

        @Override
        public void close() {
        }
    }
}
