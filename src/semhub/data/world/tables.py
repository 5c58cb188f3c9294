"""The words of the world as tables, a row a concept; `lexicon` says what the columns mean."""

# en | es | gender | de | gender | accusative where it differs | zh | classifier; of beings the plural in de as well
ANIMALS = """
dog|perro|m|Hund|m||狗|只|Hunde
cat|gata|f|Katze|f||猫|只|Katzen
horse|caballo|m|Pferd|n||马|匹|Pferde
cow|vaca|f|Kuh|f||母牛|头|Kühe
sheep|oveja|f|Schaf|n||绵羊|只|Schafe
goat|cabra|f|Ziege|f||山羊|只|Ziegen
pig|cerdo|m|Schwein|n||猪|头|Schweine
duck|pato|m|Ente|f||鸭子|只|Enten
goose|ganso|m|Gans|f||鹅|只|Gänse
hen|gallina|f|Henne|f||母鸡|只|Hennen
bird|pájaro|m|Vogel|m||鸟|只|Vögel
owl|búho|m|Eule|f||猫头鹰|只|Eulen
falcon|halcón|m|Falke|m|Falken|猎鹰|只|Falken
crow|cuervo|m|Krähe|f||乌鸦|只|Krähen
swan|cisne|m|Schwan|m||天鹅|只|Schwäne
wolf|lobo|m|Wolf|m||狼|只|Wölfe
fox|zorro|m|Fuchs|m||狐狸|只|Füchse
bear|oso|m|Bär|m|Bären|熊|头|Bären
lion|león|m|Löwe|m|Löwen|狮子|头|Löwen
tiger|tigre|m|Tiger|m||老虎|只|Tiger
monkey|mono|m|Affe|m|Affen|猴子|只|Affen
elephant|elefante|m|Elefant|m|Elefanten|大象|头|Elefanten
camel|camello|m|Kamel|n||骆驼|头|Kamele
deer|ciervo|m|Hirsch|m||鹿|头|Hirsche
rabbit|conejo|m|Kaninchen|n||兔子|只|Kaninchen
mouse|ratón|m|Maus|f||老鼠|只|Mäuse
squirrel|ardilla|f|Eichhörnchen|n||松鼠|只|Eichhörnchen
hedgehog|erizo|m|Igel|m||刺猬|只|Igel
snake|serpiente|f|Schlange|f||蛇|条|Schlangen
frog|rana|f|Frosch|m||青蛙|只|Frösche
turtle|tortuga|f|Schildkröte|f||乌龟|只|Schildkröten
crocodile|cocodrilo|m|Krokodil|n||鳄鱼|条|Krokodile
whale|ballena|f|Wal|m||鲸鱼|头|Wale
shark|tiburón|m|Hai|m||鲨鱼|条|Haie
dolphin|delfín|m|Delfin|m||海豚|只|Delfine
octopus|pulpo|m|Krake|m|Kraken|章鱼|只|Kraken
crab|cangrejo|m|Krebs|m||螃蟹|只|Krebse
spider|araña|f|Spinne|f||蜘蛛|只|Spinnen
bee|abeja|f|Biene|f||蜜蜂|只|Bienen
butterfly|mariposa|f|Schmetterling|m||蝴蝶|只|Schmetterlinge
"""
PERSONS = """
king|rey|m|König|m||国王|位|Könige
queen|reina|f|Königin|f||女王|位|Königinnen
farmer|granjero|m|Bauer|m|Bauern|农民|个|Bauern
butcher|carnicero|m|Metzger|m||屠夫|个|Metzger
doctor|médico|m|Arzt|m||医生|位|Ärzte
nurse|enfermera|f|Krankenschwester|f||护士|位|Krankenschwestern
teacher|maestro|m|Lehrer|m||老师|位|Lehrer
soldier|soldado|m|Soldat|m|Soldaten|士兵|个|Soldaten
sailor|marinero|m|Matrose|m|Matrosen|水手|个|Matrosen
hunter|cazador|m|Jäger|m||猎人|个|Jäger
cook|cocinero|m|Koch|m||厨师|个|Köche
painter|pintora|f|Malerin|f||画家|位|Malerinnen
singer|cantante|f|Sängerin|f||歌手|位|Sängerinnen
dancer|bailarina|f|Tänzerin|f||舞者|位|Tänzerinnen
writer|escritor|m|Schriftsteller|m||作家|位|Schriftsteller
judge|juez|m|Richter|m||法官|位|Richter
priest|sacerdote|m|Priester|m||牧师|位|Priester
witch|bruja|f|Hexe|f||女巫|个|Hexen
thief|ladrón|m|Dieb|m||小偷|个|Diebe
beggar|mendigo|m|Bettler|m||乞丐|个|Bettler
child|niño|m|Kind|n||孩子|个|Kinder
girl|muchacha|f|Mädchen|n||女孩|个|Mädchen
man|hombre|m|Mann|m||男人|个|Männer
woman|mujer|f|Frau|f||女人|个|Frauen
mother|madre|f|Mutter|f||母亲|位|Mütter
father|padre|m|Vater|m||父亲|位|Väter
brother|hermano|m|Bruder|m||哥哥|个|Brüder
sister|hermana|f|Schwester|f||姐姐|个|Schwestern
uncle|tío|m|Onkel|m||叔叔|位|Onkel
aunt|tía|f|Tante|f||阿姨|位|Tanten
grandmother|abuela|f|Großmutter|f||奶奶|位|Großmütter
cousin|prima|f|Cousine|f||表妹|个|Cousinen
neighbor|vecino|m|Nachbar|m|Nachbarn|邻居|个|Nachbarn
guest|huésped|m|Gast|m||客人|位|Gäste
driver|conductor|m|Fahrer|m||司机|位|Fahrer
shepherd|pastor|m|Hirte|m|Hirten|牧羊人|个|Hirten
gardener|jardinero|m|Gärtner|m||园丁|个|Gärtner
carpenter|carpintero|m|Tischler|m||木匠|个|Tischler
fisherman|pescador|m|Fischer|m||渔夫|个|Fischer
prince|príncipe|m|Prinz|m|Prinzen|王子|位|Prinzen
"""
FOODS = """
bread|pan|m|Brot|n||面包|块
cheese|queso|m|Käse|m||奶酪|块
honey|miel|f|Honig|m||蜂蜜|瓶
fruit|fruta|f|Obst|n||水果|份
rice|arroz|m|Reis|m||米饭|碗
meat|carne|f|Fleisch|n||肉|块
cake|pastel|m|Kuchen|m||蛋糕|块
garlic|ajo|m|Knoblauch|m||大蒜|头
salad|ensalada|f|Salat|m||沙拉|份
corn|maíz|m|Mais|m||玉米|根
ham|jamón|m|Schinken|m||火腿|块
cabbage|repollo|m|Kohl|m||白菜|棵
"""
THINGS = """
needle|aguja|f|Nadel|f||针|根
key|llave|f|Schlüssel|m||钥匙|把
lamp|lámpara|f|Leuchte|f||灯|盏
boat|barco|m|Boot|n||船|条
book|libro|m|Buch|n||书|本
chair|silla|f|Stuhl|m||椅子|把
knife|cuchillo|m|Messer|n||刀|把
mirror|espejo|m|Spiegel|m||镜子|面
rope|cuerda|f|Seil|n||绳子|根
basket|cesta|f|Korb|m||篮子|个
ladder|escalera|f|Leiter|f||梯子|架
umbrella|paraguas|m|Regenschirm|m||雨伞|把
"""
INSTRUMENTS = """
guitar|guitarra|f|Gitarre|f||吉他|把
violin|violín|m|Geige|f||小提琴|把
accordion|acordeón|m|Akkordeon|n||手风琴|架
drum|tambor|m|Trommel|f||大鼓|面
flute|flauta|f|Flöte|f||长笛|支
trumpet|trompeta|f|Trompete|f||小号|支
organ|órgano|m|Orgel|f||风琴|架
harmonica|armónica|f|Mundharmonika|f||口琴|把
clarinet|clarinete|m|Klarinette|f||单簧管|支
xylophone|xilófono|m|Xylophon|n||木琴|架
"""
DRINKS = """
water|agua|f|Wasser|n||水|杯
milk|leche|f|Milch|f||牛奶|杯
tea|té|m|Tee|m||茶|杯
coffee|café|m|Kaffee|m||咖啡|杯
juice|zumo|m|Saft|m||果汁|杯
wine|vino|m|Wein|m||葡萄酒|杯
beer|cerveza|f|Bier|n||啤酒|杯
lemonade|limonada|f|Limonade|f||柠檬水|杯
cocoa|cacao|m|Kakao|m||可可|杯
vinegar|vinagre|m|Essig|m||醋|瓶
"""
CLOTHES = """
hat|sombrero|m|Hut|m||帽子|顶
coat|abrigo|m|Mantel|m||大衣|件
scarf|bufanda|f|Schal|m||围巾|条
shirt|camisa|f|Hemd|n||衬衫|件
skirt|falda|f|Rock|m||裙子|条
belt|cinturón|m|Gürtel|m||腰带|条
glove|guante|m|Handschuh|m||手套|只
crown|corona|f|Krone|f||王冠|顶
mask|máscara|f|Maske|f||面具|个
vest|chaleco|m|Weste|f||背心|件
"""
PLANTS = """
tulip|tulipán|m|Tulpe|f||郁金香|株
oak|roble|m|Eiche|f||橡树|棵
pine|pino|m|Kiefer|f||松树|棵
lily|lirio|m|Lilie|f||百合|株
daisy|margarita|f|Gänseblümchen|n||雏菊|株
bamboo|bambú|m|Bambus|m||竹子|棵
sunflower|girasol|m|Sonnenblume|f||向日葵|株
willow|sauce|m|Weide|f||柳树|棵
thistle|cardo|m|Distel|f||蓟|棵
palm|palmera|f|Palme|f||棕榈树|棵
"""
# English plurals that are not the plain form with -s or -es
PLURALS = """
goose|geese
sheep|sheep
wolf|wolves
deer|deer
mouse|mice
thief|thieves
child|children
man|men
woman|women
fisherman|fishermen
"""
# colours as names: en | es | de (a noun) | zh
COLORS = """
red|rojo|Rot|红色
blue|azul|Blau|蓝色
green|verde|Grün|绿色
yellow|amarillo|Gelb|黄色
black|negro|Schwarz|黑色
white|blanco|Weiß|白色
brown|marrón|Braun|棕色
gray|gris|Grau|灰色
purple|morado|Lila|紫色
silver|plateado|Silber|银色
"""
# en | es | de | zh | en at | es at | de at | zh at
PLACES = """
forest|bosque|Wald|森林|in the forest|en el bosque|im Wald|在森林里
river|río|Fluss|河边|by the river|junto al río|am Fluss|在河边
mountain|montaña|Berg|山上|on the mountain|en la montaña|auf dem Berg|在山上
field|campo|Feld|田野|in the field|en el campo|auf dem Feld|在田野里
garden|jardín|Garten|花园|in the garden|en el jardín|im Garten|在花园里
village|pueblo|Dorf|村庄|in the village|en el pueblo|im Dorf|在村庄里
desert|desierto|Wüste|沙漠|in the desert|en el desierto|in der Wüste|在沙漠里
island|isla|Insel|岛上|on the island|en la isla|auf der Insel|在岛上
beach|playa|Strand|海滩|on the beach|en la playa|am Strand|在海滩上
cave|cueva|Höhle|洞穴|in the cave|en la cueva|in der Höhle|在洞穴里
castle|castillo|Schloss|城堡|in the castle|en el castillo|im Schloss|在城堡里
market|mercado|Markt|市场|at the market|en el mercado|auf dem Markt|在市场上
"""
VERBS = """
sees|ve|sieht|看见了
hears|oye|hört|听见了
chases|persigue|jagt|追赶着
finds|encuentra|findet|找到了
loves|ama|liebt|爱
hates|odia|hasst|讨厌
watches|observa|beobachtet|观察着
calls|llama|ruft|呼唤着
greets|saluda|grüßt|问候了
knows|conoce|kennt|认识
seeks|busca|sucht|寻找着
carries|carga|trägt|背着
washes|baña|wäscht|擦洗了
catches|atrapa|fängt|抓住了
saves|rescata|rettet|救了
visits|visita|besucht|拜访了
paints|pinta|malt|画了
feeds|alimenta|füttert|喂了
kisses|besa|küsst|亲吻了
hugs|abraza|umarmt|拥抱了
bites|muerde|beißt|咬了
pushes|empuja|schiebt|推了
teaches|educa|lehrt|教了
praises|elogia|lobt|表扬了
punishes|castiga|bestraft|惩罚了
protects|protege|schützt|保护
hits|golpea|schlägt|打了
forgets|olvida|vergisst|忘记了
wakes|despierta|weckt|叫醒了
admires|admira|bewundert|欣赏
annoys|molesta|ärgert|惹恼了
comforts|consuela|tröstet|安慰了
"""
# verbs of giving: en | es | de | zh, the last with the 给 that stands before whoever gets it; participle in en
GIVING = """
gives|da|gibt|给了|given
lends|presta|leiht|借给了|lent
sells|vende|verkauft|卖给了|sold
sends|envía|schickt|寄给了|sent
brings|trae|bringt|带给了|brought
"""
# English participles that are not the plain form with -ed
PARTICIPLES = """
sees|seen
hears|heard
finds|found
knows|known
seeks|sought
catches|caught
feeds|fed
bites|bitten
teaches|taught
hits|hit
forgets|forgotten
wakes|woken
hugs|hugged
"""
ADJECTIVES = """
old|viejo|vieja|alt|年老的
young|joven|joven|jung|年轻的
big|grande|grande|groß|很大的
small|pequeño|pequeña|klein|很小的
tired|cansado|cansada|müde|疲倦的
hungry|hambriento|hambrienta|hungrig|饥饿的
happy|feliz|feliz|glücklich|快乐的
sad|triste|triste|traurig|悲伤的
brave|valiente|valiente|mutig|勇敢的
clever|listo|lista|klug|聪明的
quiet|callado|callada|ruhig|安静的
strange|extraño|extraña|seltsam|奇怪的
poor|pobre|pobre|arm|贫穷的
rich|rico|rica|reich|富有的
strong|fuerte|fuerte|stark|强壮的
weak|débil|débil|schwach|虚弱的
slow|lento|lenta|langsam|慢吞吞的
fast|rápido|rápida|schnell|敏捷的
dirty|sucio|sucia|schmutzig|肮脏的
clean|limpio|limpia|sauber|干净的
sick|enfermo|enferma|krank|生病的
famous|famoso|famosa|berühmt|著名的
lonely|solitario|solitaria|einsam|孤独的
friendly|amable|amable|freundlich|友好的
"""
# + praises, - blames
JUDGEMENTS = """
+|wonderful|maravilloso|maravillosa|wunderbar|很棒
+|excellent|excelente|excelente|ausgezeichnet|很出色
+|perfect|perfecto|perfecta|perfekt|很完美
+|fantastic|fantástico|fantástica|fantastisch|很精彩
+|beautiful|hermoso|hermosa|schön|很美
+|pleasant|agradable|agradable|angenehm|很舒适
+|impressive|impresionante|impresionante|beeindruckend|很惊艳
+|charming|encantador|encantadora|reizend|很迷人
-|awful|espantoso|espantosa|schrecklich|很糟糕
-|disgusting|asqueroso|asquerosa|ekelhaft|很恶心
-|dreadful|pésimo|pésima|furchtbar|很可怕
-|unpleasant|desagradable|desagradable|unangenehm|很不理想
-|disappointing|decepcionante|decepcionante|enttäuschend|很令人失望
-|ugly|feo|fea|hässlich|很不像样
-|boring|aburrido|aburrida|langweilig|很无聊
-|lousy|lamentable|lamentable|erbärmlich|很差劲
"""
ASPECTS = """
service|servicio|m|Bedienung|f||服务|种
building|edificio|m|Gebäude|n||建筑|座
music|música|f|Musik|f||音乐|种
light|luz|f|Licht|n||灯光|种
decoration|decoración|f|Einrichtung|f||装饰|种
room|sala|f|Raum|m||房间|个
view|vista|f|Aussicht|f||风景|种
entrance|entrada|f|Eingang|m||入口|个
atmosphere|ambiente|m|Stimmung|f||气氛|种
floor|suelo|m|Boden|m||地板|块
"""
# en | es with demonstrative | de accusative with demonstrative | zh with classifier
SUBJECTS = """
restaurant|este restaurante|dieses Restaurant|这家餐厅
museum|este museo|dieses Museum|这座博物馆
school|esta escuela|diese Schule|这所学校
shop|esta tienda|diesen Laden|这家商店
library|esta biblioteca|diese Bibliothek|这座图书馆
pharmacy|esta farmacia|diese Apotheke|这家药店
theater|este teatro|dieses Theater|这座剧院
farm|esta granja|diesen Bauernhof|这个农场
"""
# colours as adjectives, only for what is drawn: key | en | es m | es f | de (a stem that takes every ending) | zh
COLOR_ADJECTIVES = """
red|red|rojo|roja|rot|红色的
blue|blue|azul|azul|blau|蓝色的
green|green|verde|verde|grün|绿色的
yellow|yellow|amarillo|amarilla|gelb|黄色的
black|black|negro|negra|schwarz|黑色的
white|white|blanco|blanca|weiß|白色的
brown|brown|marrón|marrón|braun|棕色的
gray|gray|gris|gris|grau|灰色的
purple|purple|morado|morada|violett|紫色的
"""
