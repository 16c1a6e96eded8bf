&
*2.0.0

xConst*
valueB