// Give a label image its colours: the same for a number everywhere, the background black. The file given, else the image in front.
//
//     runMacro("fibsem/colour_labels.ijm", "/data/labels.tif");
//
// Numbers above 255 share colours: the display is stretched from 0 to the largest, as ImageJ has 256 colours at a time.

if (getArgument() != "") open(getArgument());
if (bitDepth() == 24) exit("FIBSEM: expected a label image, got RGB; labels are numbers");
colours = "000000"
    + "8700ff00ff00ff0000ffd200ff2da50078f00f780000ffd2a55a0f00c3ffffb4ffc3ff78962db4c30f3cffd287f096961e9678ff00f000ff87a54b87"
    + "96960fb4e1a52d4bf0ff78000f69a55a692de1ff004bc30087f0f0ff78ffa5a5d2ff785a4bc369964b4ba578e1ff6996d2960f1e8796b4875ac32d00"
    + "b44bff5aa5ff96ff1ec3d22d87a587ffd2f0b4e1ffff003cd200b478a55a695a87c30f69fff07878b42dffa569f078c3ff0069c387a5f0c3a5785a0f"
    + "a5ffa52d695a00783cc3c3694bd2b4785ae15a5ab4c3694b785a3cc34bb469ff5ad200ff5a7800f0f0c34b96c38787d2c35a78a5e11e78b4c396965a"
    + "ff5a6900c3d200a52db4963c78f078875a69e1782d4b6987b43c2da5d269874ba5c300d200d24b69c387c387d200ffff96ffd2c3b4fff096ffc30087"
    + "e1c33cc369f05affa500d296ffa5d2ffb400693cffc39687fff04bff4b2d78c3b40078d2b43c4b87c3ff0069ffff5ad28796ff5a875ac3f0d2ffc35a"
    + "ff9600e1696987e14bd2d2ff965a2de1f09669e1ffc3b487c3001e783ce13ce100ffc3c300a569e15affe1967887872d5a962d9600e19669a5a57800"
    + "e13c69e14b96e15a0f7878f0c3873cff00d21e963ce14b3cff1e87f087a54b782dfff000b4c34ba52d87d24bd2967896b44b00d2a5d2964b693ca5a5"
    + "b4960f00a5c3c3780fffa54bff5a00b4c3870fd2693c5ad287784b00a5f03c9600c369b487a53c00ff4bd2ff5a7896d287a500fff0a5c37878a5d23c"
    + "e1f069b42d5ad2c300f08769b496f078c3004b965af0004b2d6978e1a569d2ff965ac34bd2b469694bb4e1000fa569ff96b4ffa52dd269f0b45a69a5"
    + "96e169c369965a9687f078e1f0c3ffb4009600b4a5ff4bf0b4b41ee1a5b478b48787d278b42d78c369d2d2e10096695af01eb4a54b3cff693cc3ffb4"
    + "69ff0fa5ff4bf0d26900e13c965ad2785aa5c3ff1ea53c69e1b4004b694be13cffe187c378d2ff786900a54b1ee1d29678e10f874b780078a596e1b4"
    + "a5f0ffe1a54b1e785a3ce1e15affe1d2693c0f87d20fff6900b41eb496d2d287ff5a690f96782db4fff07878a5";
reds = newArray(256);
greens = newArray(256);
blues = newArray(256);
for (i = 0; i < 256; i++) {
    reds[i] = parseInt(substring(colours, 6 * i, 6 * i + 2), 16);
    greens[i] = parseInt(substring(colours, 6 * i + 2, 6 * i + 4), 16);
    blues[i] = parseInt(substring(colours, 6 * i + 4, 6 * i + 6), 16);
}
setLut(reds, greens, blues);
largest = 255;
if (bitDepth() > 8) {
    Stack.getStatistics(voxels, mean, least, most);
    largest = maxOf(255, most);
}
setMinAndMax(0, largest);
return "" + largest;
