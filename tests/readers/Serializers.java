import java.io.File;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.jar.JarFile;
import org.apache.kafka.common.serialization.BooleanSerializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.ByteBufferSerializer;
import org.apache.kafka.common.serialization.BytesSerializer;
import org.apache.kafka.common.serialization.DoubleSerializer;
import org.apache.kafka.common.serialization.FloatSerializer;
import org.apache.kafka.common.serialization.IntegerSerializer;
import org.apache.kafka.common.serialization.ListSerializer;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.ShortSerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.serialization.UUIDSerializer;
import org.apache.kafka.common.serialization.VoidSerializer;
import org.apache.kafka.common.utils.Bytes;

/**
 * What Java's serializers write: each line of the file that is named is a kind and a value, separated by a tab;
 * answered is the hex of the bytes, or "null". Before that stand the names of all serializers that the jar has, and an
 * empty line.
 *
 * A kind is a class without "Serializer"; "List Short" is a list of shorts. A value is hex, "null", or a list: "[",
 * then values, each with a comma behind it, then "]". The hex is that of the bits, of a string's UTF-16 units, of bytes.
 */
public final class Serializers {
    private final String text;
    private int position;

    private Serializers(String text) {
        this.text = text;
    }

    public static void main(String[] arguments) throws Exception {
        printNames();
        System.out.println();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] words = line.split("\t", -1);
            Object value = new Serializers(words[1]).value(words[0]);
            byte[] bytes = serializer(words[0]).serialize("t", value);
            System.out.println(bytes == null ? "null" : HexFormat.of().formatHex(bytes));
        }
    }

    private static void printNames() throws Exception {
        var jar = new File(Serializer.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        String prefix = "org/apache/kafka/common/serialization/";
        try (JarFile file = new JarFile(jar)) {
            file.stream().map(entry -> entry.getName())
                    .filter(name -> name.startsWith(prefix) && name.endsWith("Serializer.class"))
                    .map(name -> name.substring(prefix.length(), name.length() - ".class".length()))
                    .filter(name -> !name.equals("Serializer"))
                    .forEach(System.out::println);
        }
    }

    @SuppressWarnings("unchecked")
    private static Serializer<Object> serializer(String kind) {
        return (Serializer<Object>) (Serializer<?>) switch (kind) {
            case "Boolean" -> new BooleanSerializer();
            case "ByteArray" -> new ByteArraySerializer();
            case "ByteBuffer" -> new ByteBufferSerializer();
            case "Bytes" -> new BytesSerializer();
            case "Double" -> new DoubleSerializer();
            case "Float" -> new FloatSerializer();
            case "Integer" -> new IntegerSerializer();
            case "Long" -> new LongSerializer();
            case "Short" -> new ShortSerializer();
            case "String" -> new StringSerializer();
            case "UUID" -> new UUIDSerializer();
            case "Void" -> new VoidSerializer();
            default -> new ListSerializer<>(serializer(entry(kind)));
        };
    }

    private static String entry(String kind) {
        if (!kind.startsWith("List ")) {
            throw new IllegalArgumentException("no such kind: " + kind);
        }
        return kind.substring("List ".length());
    }

    /** The value at the position, which moves behind it. */
    private Object value(String kind) {
        if (text.startsWith("null", position)) {
            position += 4;
            return null;
        }
        if (text.startsWith("[", position)) {
            List<Object> list = new ArrayList<>();
            position++;
            while (text.charAt(position) != ']') {
                list.add(value(entry(kind)));
                position++;
            }
            position++;
            return list;
        }
        int end = position;
        while (end < text.length() && text.charAt(end) != ',') {
            end++;
        }
        byte[] bytes = HexFormat.of().parseHex(text, position, end);
        position = end;
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        return switch (kind) {
            case "Boolean" -> buffer.get() == 1;
            case "ByteArray" -> bytes;
            case "ByteBuffer" -> buffer;
            case "Bytes" -> new Bytes(bytes);
            case "Double" -> Double.longBitsToDouble(buffer.getLong());
            case "Float" -> Float.intBitsToFloat(buffer.getInt());
            case "Integer" -> buffer.getInt();
            case "Long" -> buffer.getLong();
            case "Short" -> buffer.getShort();
            case "String" -> buffer.asCharBuffer().toString();
            case "UUID" -> new UUID(buffer.getLong(), buffer.getLong());
            default -> throw new IllegalArgumentException("no such kind: " + kind);
        };
    }
}
