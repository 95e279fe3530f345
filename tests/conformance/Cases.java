import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** Prints "code lower upper" of every code point whose case changes, then "sigma <text> <lower case>" of texts from stdin. */
public class Cases {
    public static void main(String[] arguments) throws Exception {
        StringBuilder out = new StringBuilder();
        for (int code = 1; code <= Character.MAX_CODE_POINT; code++) {
            if (code >= 0xD800 && code < 0xE000) continue;
            String text = new String(Character.toChars(code));
            String lower = text.toLowerCase(Locale.ROOT), upper = text.toUpperCase(Locale.ROOT);
            if (!lower.equals(text) || !upper.equals(text)) out.append(text + "\t" + lower + "\t" + upper + "\n");
        }
        out.append("\n");
        for (String text : new String(System.in.readAllBytes(), StandardCharsets.UTF_8).split("\n")) {
            out.append(text + "\t" + text.toLowerCase(Locale.ROOT) + "\n");
        }
        System.out.write(out.toString().getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }
}
