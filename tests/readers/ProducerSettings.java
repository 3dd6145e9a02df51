import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;

/** Prints what Kafka's producer says of its settings, a line each: name, type, default, values. */
public final class ProducerSettings {
    public static void main(String[] arguments) {
        Map<String, ConfigDef.ConfigKey> keys =
            new TreeMap<>(ProducerConfig.configDef().configKeys());
        for (ConfigDef.ConfigKey key : keys.values()) {
            System.out.println(String.join("\t",
                key.name,
                key.type.name().toLowerCase(),
                shown(key),
                key.validator == null ? "" : key.validator.toString().replace('\n', ' ')));
        }
    }

    private static String shown(ConfigDef.ConfigKey key) {
        Object value = key.defaultValue;
        if (ConfigDef.NO_DEFAULT_VALUE.equals(value)) {
            return "required";
        }
        return value == null ? "null" : ConfigDef.convertToString(value, key.type);
    }
}
